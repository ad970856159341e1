// The contract that every store keeps: IAM rules on organisations, teams and keys.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Test } from "tap";
import type { Directory, IamKind, IamPlace, NewIamRule } from "../../src/store/directory.ts";
import { newKey } from "../ledger/samples.ts";
import { open, type Suite } from "./rig.ts";

const by = { actor: "test" };
const onlyMini: NewIamRule = {
  ...{ ruleType: "allow_models", ruleValue: { models: ["gpt-4o-mini"] } },
  ...{ status: "active", rank: 3 },
};

async function place(directory: Directory, kind: IamKind, id: string): Promise<IamPlace> {
  const object = await directory.get(kind, id);
  return { kind, id, version: object?.version ?? 0 };
}

async function rejectsCode(t: Test, code: string, work: Promise<unknown>): Promise<void> {
  await t.rejects(work, { name: "StoreError", code });
}

/** IAM rules. */
export const iam: Suite = {
  "a rule is added, replaced by its id and removed; each raises the object's version": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const { directory } = store;
    await directory.insert({ kind: "team", id: "ml", fields: { alias: "ml" }, bounds: {} }, by);
    const made = await directory.putIamRule({ kind: "team", id: "ml", version: 1 }, onlyMini, by);
    t.match(made.id, /^iam_[0-9a-f]{24}$/);
    t.strictSame(made, {
      id: made.id,
      objectId: "ml",
      ...onlyMini,
      createdMs: clock.nowMs(),
      updatedMs: clock.nowMs(),
    });
    t.strictSame(await directory.iamRules("team", "ml"), [made]);
    t.match(await directory.get("team", "ml"), { version: 2, updatedBy: "test" });
    clock.advance(5);
    const off = { ...onlyMini, id: made.id, status: "inactive", rank: 0 } as const;
    const changed = await directory.putIamRule({ kind: "team", id: "ml", version: 2 }, off, by);
    t.strictSame(changed, { ...off, objectId: "ml", createdMs: made.createdMs, updatedMs: made.createdMs + 5 });
    const stale: IamPlace = { kind: "team", id: "ml", version: 2 };
    await rejectsCode(t, "stale", directory.putIamRule(stale, onlyMini, by));
    await rejectsCode(t, "stale", directory.removeIamRule(stale, made.id, by));
    await directory.removeIamRule({ ...stale, version: 3 }, made.id, by);
    t.same(await directory.iamRules("team", "ml"), []);
    const lines = (await directory.audit({ limit: 10 })).filter(({ field }) => field !== null);
    const value = { ruleType: "allow_models", ruleValue: onlyMini.ruleValue };
    t.match(lines, [
      { actor: "test", action: "update", kind: "team", objectId: "ml", field: `iam ${made.id}`, old: null },
      { old: { ...value, status: "active" }, new: { ...value, status: "inactive" } },
      { old: { ...value, status: "inactive" }, new: null },
    ]);
  },

  "a rule is of the object that it is on, also where a team and an organisation have one id": async (t, fresh) => {
    const { store } = open(t, fresh);
    const { directory } = store;
    for (const kind of ["team", "org"] as const) {
      await directory.insert({ kind, id: "same", fields: { alias: kind }, bounds: {} }, by);
    }
    const { id } = await directory.putIamRule(await place(directory, "team", "same"), onlyMini, by);
    const org = await place(directory, "org", "same");
    await rejectsCode(t, "no_such_object", directory.putIamRule(org, { ...onlyMini, id }, by));
    await rejectsCode(t, "no_such_object", directory.removeIamRule(org, id, by));
    await rejectsCode(t, "no_such_object", directory.putIamRule({ ...org, id: "gone" }, onlyMini, by));
    t.same(await directory.iamRules("org", "same"), []);
    t.equal((await directory.iamRules("team", "same")).length, 1);
    t.same([...(await directory.iamRulesOf("team", ["same", "none"])).keys()], ["same"]);
    t.equal((await directory.iamRulesOf("org", ["same"])).size, 0);
    t.strictSame((await directory.iamRulesOf("team", ["same"])).get("same"), await directory.iamRules("team", "same"));
    t.match(await directory.get("org", "same"), { version: 1 }, "what is refused changes nothing");
  },

  "a key's principal has them as rules, beside those that are written, at the next look": async (t, fresh) => {
    const { store } = open(t, fresh);
    const { directory, accounts } = store;
    const orgId = accounts.createOrg("acme").id;
    const teamId = accounts.createTeam("ml", undefined, { orgAlias: "acme", rules: "deny stream\n" }).id;
    const key = accounts.createKey(newKey("ci", { teamAlias: "ml", rules: "deny vision\n" }));
    t.equal(accounts.findKey(newKey("ci").hash)?.principal.rules?.length, 2);
    const before = accounts.revision();
    for (const [kind, id] of [
      ["org", orgId],
      ["team", teamId],
      ["key", key.id],
    ] as const) {
      await directory.putIamRule(await place(directory, kind, id), onlyMini, by);
    }
    await nextTurn();
    t.same(
      accounts
        .changesSince(before)
        ?.map(({ kind }) => kind)
        .sort(),
      ["key", "org", "team"],
    );
    const rules = accounts.findKey(newKey("ci").hash)?.principal.rules ?? [];
    t.same(
      rules.map(({ scope, text }) => [scope, text.slice(0, 11)]),
      [
        ["org", "deny unless"],
        ["team", "deny stream"],
        ["team", "deny unless"],
        ["key", "deny vision"],
        ["key", "deny unless"],
      ],
    );
    t.equal(accounts.getRules("key", "ci").text, "deny vision\n", "the written text is its own");
    t.same(
      accounts.listRules().map(({ scope, subject }) => `${scope} ${subject.alias}`),
      ["org acme", "team ml", "team ml", "key ci", "key ci"],
    );
    const [rule] = await directory.iamRules("key", key.id);
    const off = { ...onlyMini, id: rule?.id, status: "inactive" } as const;
    await directory.putIamRule(await place(directory, "key", key.id), off, by);
    t.equal(accounts.findKey(newKey("ci").hash)?.principal.rules?.length, 4, "an inactive one restricts nothing");
  },
};
