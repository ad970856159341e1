// IAM rules of keys, teams and organisations: who may change them, and what is refused because it would do nothing.
import type { AccountObject, Fields, IamKind, IamRule } from "../store/directory.ts";
import type { Actor } from "./caller.ts";
import { AccountError } from "./errors.ts";
import { iamText } from "./iam-text.ts";
import { type IamWish, readIamRule } from "./iam-values.ts";
import { rankOf } from "./rights.ts";
import type { Accounts, Seen } from "./service.ts";
import { storeErrors } from "./store-errors.ts";

/** An object's rules are compiled whenever its keys are looked up: there is an end to them. */
const RULES_MAX = 50;
/** Characters of the text that an object's rules come to. */
const TEXT_MAX = 64 * 1_024;

/** An object and its rules. */
export interface IamRules {
  readonly kind: IamKind;
  readonly id: string;
  readonly alias: string;
  /** Oldest first. */
  readonly rules: readonly IamRule[];
}

/** What can be said against rules that are in force: names that nothing here has, parts that do nothing. */
export type WarnOfRules = (scope: IamKind, alias: string, text: string) => readonly string[];

/** What the IAM rules work with. */
export interface IamOptions {
  readonly accounts: Accounts;
  /** Left out, there are no warnings. */
  readonly warnOf?: WarnOfRules;
}

/** Operations on IAM rules. An object is named by id or alias, a rule by its id and the object that it is on. */
export class Iam {
  readonly #accounts: Accounts;
  readonly #warnOf: WarnOfRules;

  constructor({ accounts, warnOf = () => [] }: IamOptions) {
    this.#accounts = accounts;
    this.#warnOf = warnOf;
  }

  /** @throws AccountError `not_found`, also for what the caller may not see */
  async list(actor: Actor, kind: IamKind, idOrAlias: string): Promise<IamRules> {
    const { object } = await this.#accounts.see(await this.#accounts.caller(actor), kind, idOrAlias);
    const rules = await storeErrors(kind, () => this.#accounts.directory.iamRules(kind, object.id));
    return { kind, id: object.id, alias: aliasOf(object.fields), rules };
  }

  /** The rules of many, by object id. Asks nobody for rights: what was got from the accounts may be asked about. */
  async of(kind: IamKind, objects: readonly AccountObject[]): Promise<ReadonlyMap<string, readonly IamRule[]>> {
    const ids = objects.map(({ id }) => id);
    return storeErrors(kind, () => this.#accounts.directory.iamRulesOf(kind, ids));
  }

  /** The rules in the rule language, as they are in force; empty for none. */
  async text(actor: Actor, kind: IamKind, idOrAlias: string): Promise<string> {
    return iamText((await this.list(actor, kind, idOrAlias)).rules) ?? "";
  }

  /** What the checker of rules says against them, a sentence each: a model that is misspelt denies nothing. */
  async warnings(actor: Actor, kind: IamKind, idOrAlias: string): Promise<readonly string[]> {
    const { alias, rules } = await this.list(actor, kind, idOrAlias);
    const text = iamText(rules);
    return text === null ? [] : this.#warnOf(kind, alias, text);
  }

  /** @throws AccountError `invalid_field`, `not_permitted`, `not_found` */
  async add(actor: Actor, kind: IamKind, idOrAlias: string, wish: IamWish): Promise<IamRule> {
    const rule = readIamRule(wish);
    return this.#changing(actor, kind, idOrAlias, async ({ seen, rules, label }) => {
      const added = { ...rule, rank: rankFor(seen) };
      assertFits([...rules, { ...added, id: PLACEHOLDER_ID }]);
      return this.#accounts.directory.putIamRule(placeOf(kind, seen), added, { actor: label });
    });
  }

  /** What the wish leaves out stays as it is. */
  async change(actor: Actor, kind: IamKind, idOrAlias: string, ruleId: string, wish: IamWish): Promise<IamRule> {
    return this.#changing(actor, kind, idOrAlias, async ({ seen, rules, label }) => {
      const before = ruleOf(rules, ruleId);
      assertMayChange(before, seen);
      const changed = { ...readIamRule(wish, before), id: ruleId, rank: rankFor(seen) };
      assertFits(rules.map((rule) => (rule === before ? changed : rule)));
      return this.#accounts.directory.putIamRule(placeOf(kind, seen), changed, { actor: label });
    });
  }

  async remove(actor: Actor, kind: IamKind, idOrAlias: string, ruleId: string): Promise<void> {
    await this.#changing(actor, kind, idOrAlias, async ({ seen, rules, label }) => {
      assertMayChange(ruleOf(rules, ruleId), seen);
      return this.#accounts.directory.removeIamRule(placeOf(kind, seen), ruleId, { actor: label });
    });
  }

  /** Works a change out on what is there, anew when another one got ahead of it. */
  async #changing<T>(actor: Actor, kind: IamKind, idOrAlias: string, work: (on: Changing) => Promise<T>): Promise<T> {
    const caller = await this.#accounts.caller(actor);
    return this.#accounts.retrying(kind, async () => {
      const seen = await this.#accounts.see(caller, kind, idOrAlias, "iam", "/key/update");
      return storeErrors(kind, async () => {
        const rules = await this.#accounts.directory.iamRules(kind, seen.object.id);
        return work({ seen, rules, label: caller.label });
      });
    });
  }
}

/** What a change is worked out on. */
interface Changing {
  readonly seen: Seen;
  readonly rules: readonly IamRule[];
  /** Who, for the audit log. */
  readonly label: string;
}

/** As long as the ids that are made up. */
const PLACEHOLDER_ID = `iam_${"0".repeat(24)}`;

function placeOf(kind: IamKind, { object: { id, version } }: Seen) {
  return { kind, id, version };
}

/** What one restricts oneself, one can lift: the rules of a key's own owner bind nobody else. */
function rankFor({ standings }: Seen): number {
  return standings.has("owner") ? 0 : rankOf(standings);
}

function ruleOf(rules: readonly IamRule[], ruleId: string): IamRule {
  const rule = rules.find(({ id }) => id === ruleId);
  if (rule === undefined) throw new AccountError("not_found", "There is no such IAM rule");
  return rule;
}

function assertMayChange({ rank }: IamRule, { standings }: Seen): void {
  if (rank <= rankOf(standings)) return;
  const message = "The IAM rule was set by an admin: add one that narrows it, for it cannot be changed or removed";
  throw new AccountError("not_permitted", message, { field: "ruleId" });
}

function assertFits(rules: Parameters<typeof iamText>[0]): void {
  if (rules.length > RULES_MAX) {
    throw new AccountError("invalid_field", `There can be up to ${RULES_MAX} IAM rules on an object`);
  }
  if ((iamText(rules)?.length ?? 0) > TEXT_MAX) {
    const message = `The IAM rules of an object are up to ${TEXT_MAX / 1_024} KiB long as rules`;
    throw new AccountError("invalid_field", message, { field: "ruleValue" });
  }
}

function aliasOf({ alias }: Fields): string {
  return String(alias);
}
