// Compiles the rules that are kept on organisations, teams and keys: each text once, when a principal first brings it.
import { LRUCache } from "lru-cache";
import type { InlineRules } from "../types.ts";
import type { CheckedRule } from "./checked.ts";
import { type CompiledRule, type CompiledSet, compileSet } from "./compile.ts";
import type { Bound } from "./facts.ts";
import { bindRules, brokenRules, InlineRulesError, readRules } from "./inline-bind.ts";
import type { KnownAttributes } from "./inline-text.ts";

/** Characters of the texts that are held compiled: each takes some 70 bytes. */
const TEXTS_CHARS_MAX = 512 * 1024;
/** Subjects with broken rules that are remembered, so that each is told once. */
const TOLD_MAX = 1_000;

/** Kept rules come after those of all files: an organisation's, then a team's, a user's, a key's. */
const FIRST_RANKS = { org: 2 ** 32, team: 2 ** 33, user: 2 ** 34, key: 2 ** 35 } as const;

/** A text, compiled for nobody: many subjects may keep the same one. `rules` are in the order of the text. */
interface CompiledText {
  readonly set: CompiledSet;
  readonly rules: readonly CheckedRule[];
}

/** The same for one subject. */
interface BoundText {
  readonly set: CompiledSet;
  /** Nobody's rule → the subject's. */
  readonly own: ReadonlyMap<CheckedRule, CheckedRule>;
}

/** Told of rules that cannot be evaluated; `report` is as `tollgate check` prints it. */
export type TellBroken = (rules: InlineRules, report: string) => void;

/** Rules by who keeps them. */
export class InlineRuleSets {
  /** null: the text has an error. */
  readonly #texts = new LRUCache<string, { readonly compiled: CompiledText | null }>({
    maxSize: TEXTS_CHARS_MAX,
    sizeCalculation: (_compiled, text) => text.length + 1,
  });
  readonly #bound = new LRUCache<InlineRules, BoundText | InlineRulesError>({
    maxSize: TEXTS_CHARS_MAX,
    sizeCalculation: (_bound, { text }) => text.length + 1,
  });
  /** The text that was told, by the subject's id. */
  readonly #told = new LRUCache<string, string>({ max: TOLD_MAX });
  readonly #tell: TellBroken;
  readonly #known: KnownAttributes;

  constructor(tell: TellBroken = () => undefined, known: KnownAttributes = {}) {
    this.#tell = tell;
    this.#known = known;
  }

  /**
   * What is kept for the principal and could fire: its organisation's rules, its team's, its own, each in their order.
   * @throws InlineRulesError when a text has an error: nobody checked it, or a version that knows more did
   */
  candidates(bound: Bound): CompiledRule[] {
    return (bound.principal.rules ?? []).flatMap((rules) => {
      if (bound.principal[rules.scope]?.id !== rules.subject.id) throw new Error("the rules are another subject's");
      const { set, own } = this.#boundTo(rules);
      return set.candidates(bound).map((nobodys): CompiledRule => {
        const rule = own.get(nobodys.rule);
        if (rule === undefined) throw new Error("every rule is bound");
        return { rule, rank: FIRST_RANKS[rules.scope] + nobodys.rank, bind: (to) => nobodys.bind(to) };
      });
    });
  }

  #boundTo(rules: InlineRules): BoundText {
    let bound = this.#bound.get(rules);
    if (bound === undefined) {
      bound = this.#bind(rules);
      this.#bound.set(rules, bound);
    }
    if (bound instanceof InlineRulesError) throw bound;
    return bound;
  }

  #bind(rules: InlineRules): BoundText | InlineRulesError {
    const compiled = this.#compiled(rules.text);
    if (compiled === null) return this.#broken(rules);
    const own = bindRules(compiled.rules, rules).map((rule, i) => [compiled.rules[i] as CheckedRule, rule] as const);
    return { set: compiled.set, own: new Map(own) };
  }

  #compiled(text: string): CompiledText | null {
    const known = this.#texts.get(text);
    if (known !== undefined) return known.compiled;
    const set = readRules(text, this.#known);
    const compiled = set === null ? null : { set: compileSet(set), rules: set.rules };
    this.#texts.set(text, { compiled });
    return compiled;
  }

  #broken(rules: InlineRules): InlineRulesError {
    const error = brokenRules(rules, this.#known);
    const { id } = rules.subject;
    if (this.#told.get(id) !== rules.text) this.#tell(rules, error.report);
    this.#told.set(id, rules.text);
    return error;
  }
}
