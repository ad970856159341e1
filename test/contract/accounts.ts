// The contract that every store keeps: keys, teams, budgets, the revision.
import { setImmediate as nextTurn } from "node:timers/promises";
import { RULES_BYTES_MAX } from "../../src/store/store.ts";
import { newKey } from "../ledger/samples.ts";
import { counter, open, type Suite, throwsCode } from "./rig.ts";

const budget = { limitNanoUsd: 5n, window: "month" } as const;

/** Keys, teams and budgets. */
export const accounts: Suite = {
  "a key is found by its hash, with its team's budgets after its own": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const team = store.accounts.createTeam("ml", { limitNanoUsd: 7n, window: "total" });
    const made = store.accounts.createKey(
      newKey("demo", { teamAlias: "ml", userAlias: "ada", roles: ["dev"], tags: ["x"], expiresMs: 5, budget }),
    );
    t.match(made, { alias: "demo", prefix: "sk-demo", lastFour: "demo", status: "active", teamId: team.id });
    t.equal(made.createdMs, clock.nowMs());
    const found = store.accounts.findKey(newKey("demo").hash);
    t.match(found, { status: "active", expiresMs: 5 });
    const principal = found?.principal;
    t.match(principal, { key: { id: made.id, alias: "demo" }, team: { id: team.id, alias: "ml" }, org: null });
    t.same([principal?.user?.alias, principal?.roles, principal?.tags], ["ada", ["dev"], ["x"]]);
    t.same(
      principal?.budgets.map(({ scope, subject, limitNanoUsd, window }) => [
        scope,
        subject.alias,
        limitNanoUsd,
        window,
      ]),
      [
        ["key", "demo", 5n, "month"],
        ["team", "ml", 7n, "total"],
      ],
    );
    t.ok(Object.isFrozen(principal) && Object.isFrozen(principal?.budgets));
    t.equal(store.accounts.findKey(newKey("other").hash), null);
  },

  "a new team is told with its budget": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const { createdMs, ...team } = store.accounts.createTeam("ml", budget);
    t.match(team, { alias: "ml", org: null, budgets: [{ scope: "team", ...budget }] });
    t.equal(createdMs, clock.nowMs());
    t.same(store.accounts.limited("team", "ml").budgets, team.budgets);
    t.same(store.accounts.createTeam("ops").budgets, []);
  },

  "a name is known by id and alias; one that is misspelt is among those near to it, also among thousands": async (
    t,
    fresh,
  ) => {
    const { store } = open(t, fresh);
    const { id } = store.accounts.createTeam("research");
    t.ok(store.accounts.hasName("team", "research") && store.accounts.hasName("team", id));
    t.notOk(store.accounts.hasName("team", "Research") || store.accounts.hasName("key", "research"));
    store.accounts.createKey(newKey("a"));
    t.same(store.accounts.namesNear("key", "xyz"), ["a"], "all of few");
    const words = ["ci", "billing-prod", "über-app", "x".repeat(100)];
    for (const word of [...words, ...Array.from({ length: 2_000 }, (_, n) => `team ${n}`)]) {
      store.accounts.createTeam(word);
    }
    const cases = { cj: "ci", "biling-prod": "billing-prod", "blling-prod": "billing-prod", "uber-app": "über-app" };
    const more = { reserach: "research", "bill-prod": "billing-prod", [`${"x".repeat(99)}y`]: "x".repeat(100) };
    for (const [wrong, right] of Object.entries({ ...cases, ...more, Research: "research" })) {
      const near = store.accounts.namesNear("team", wrong);
      t.ok(near.includes(right), wrong);
      t.ok(near.length < 100);
    }
  },

  "what cannot be is refused by code and changes nothing": async (t, fresh) => {
    const { store } = open(t, fresh);
    store.accounts.createTeam("ml");
    store.accounts.createKey(newKey("demo"));
    const revision = store.accounts.revision();
    const again = { ...newKey("demo"), hash: newKey("second").hash };
    throwsCode(t, "alias_taken", () => store.accounts.createKey(again));
    throwsCode(t, "alias_taken", () => store.accounts.createTeam("ml"));
    throwsCode(t, "no_such_team", () => store.accounts.createKey(newKey("x", { teamAlias: "nobody" })));
    throwsCode(t, "no_such_key", () => store.accounts.setKeyStatus("nobody", "disabled"));
    throwsCode(t, "no_such_key", () => store.accounts.setBudget("key", "nobody", budget));
    throwsCode(t, "no_such_team", () => store.accounts.setBudget("team", "nobody", budget));
    const beyond = { limitNanoUsd: 2n ** 63n, window: "month" } as const;
    throwsCode(t, "out_of_range", () => store.accounts.setBudget("key", "demo", beyond));
    throwsCode(t, "out_of_range", () => store.accounts.createKey(newKey("y", { budget: beyond })));
    t.equal(await store.directory.count("key", {}), 1);
    t.equal(store.accounts.revision(), revision);
  },

  "a status is set by id or alias; revoked is final": async (t, fresh) => {
    const { store } = open(t, fresh);
    const { id } = store.accounts.createKey(newKey("demo"));
    t.equal(store.accounts.setKeyStatus("demo", "disabled").status, "disabled");
    t.equal(store.accounts.setKeyStatus(id, "active").status, "active");
    t.equal(store.accounts.setKeyStatus(id, "revoked").status, "revoked");
    t.equal(store.accounts.setKeyStatus(id, "revoked").status, "revoked");
    throwsCode(t, "revoked", () => store.accounts.setKeyStatus(id, "active"));
    t.equal(store.accounts.findKey(newKey("demo").hash)?.status, "revoked");
  },

  "a budget of the same window is replaced under its id; of another window added": async (t, fresh) => {
    const { store } = open(t, fresh);
    store.accounts.createKey(newKey("demo", { budget }));
    const [first] = store.accounts.getKey("demo").principal.budgets;
    const raised = store.accounts.setBudget("key", "demo", { limitNanoUsd: 9n, window: "month" });
    t.equal(raised.id, first?.id);
    store.accounts.setBudget("key", "demo", { limitNanoUsd: 1n, window: "day" });
    t.same(
      store.accounts.getKey("demo").principal.budgets.map((each) => [each.window, each.limitNanoUsd]),
      [
        ["month", 9n],
        ["day", 1n],
      ],
    );
  },

  "rules kept on an organisation, a team and a key come with the key, in this order": async (t, fresh) => {
    const { store } = open(t, fresh);
    const org = store.accounts.createOrg("acme", "deny when stream\n");
    const team = store.accounts.createTeam("ml", budget, { orgAlias: "acme" });
    const key = store.accounts.createKey(newKey("demo", { teamAlias: "ml", rules: "only model [a]\n" }));
    store.accounts.createKey(newKey("alone"));
    const rulesOf = (alias: string) =>
      store.accounts
        .findKey(newKey(alias).hash)
        ?.principal.rules?.map(({ scope, subject, text }) => [scope, subject.id, subject.alias, text]);
    t.match(store.accounts.findKey(newKey("demo").hash)?.principal.org, { id: org.id, alias: "acme" });
    const ofOrg = ["org", org.id, "acme", "deny when stream\n"];
    const ofKey = ["key", key.id, "demo", "only model [a]\n"];
    t.same(rulesOf("demo"), [ofOrg, ofKey]);
    t.equal(rulesOf("alone"), undefined, "none is no list");
    t.same(store.accounts.setRules("team", team.id, "warn as x\n"), { id: team.id, alias: "ml" });
    const ofTeam = ["team", team.id, "ml", "warn as x\n"];
    t.same(rulesOf("demo"), [ofOrg, ofTeam, ofKey]);
    t.same(
      store.accounts.listRules().map(({ scope, subject, text }) => [scope, subject.id, subject.alias, text]),
      [ofOrg, ofTeam, ofKey],
    );
    t.same(store.accounts.getRules("team", "ml"), { subject: { id: team.id, alias: "ml" }, text: "warn as x\n" });
    t.same(store.accounts.getKey("demo"), store.accounts.findKey(newKey("demo").hash));
    for (const [scope, name] of [
      ["org", "acme"],
      ["team", "ml"],
      ["key", "demo"],
    ] as const)
      store.accounts.setRules(scope, name, null);
    t.same([rulesOf("demo"), store.accounts.listRules()], [undefined, []]);
    t.equal(store.accounts.getRules("org", org.id).text, null);
  },

  "organisations are made, and teams name theirs": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const made = [store.accounts.createOrg("b"), store.accounts.createOrg("a")];
    t.match(made, [{ alias: "b", createdMs: clock.nowMs() }, { alias: "a" }]);
    const team = store.accounts.createTeam("ml", undefined, { orgAlias: "a" });
    t.same(team.org, { id: made[1]?.id, alias: "a" });
    t.equal(store.accounts.createTeam("free").org, null);
  },

  "rules that cannot be kept are refused by code and change nothing": async (t, fresh) => {
    const { store } = open(t, fresh);
    store.accounts.createOrg("acme");
    store.accounts.createTeam("ml");
    const most = "é".repeat(RULES_BYTES_MAX / 2);
    store.accounts.setRules("team", "ml", most);
    const revision = store.accounts.revision();
    for (const [code, work] of [
      ["too_long", () => store.accounts.setRules("team", "ml", `${most}x`)],
      ["too_long", () => store.accounts.createKey(newKey("long", { rules: `${most}x` }))],
      ["too_long", () => store.accounts.createTeam("long", undefined, { rules: `${most}x` })],
      ["too_long", () => store.accounts.createOrg("long", `${most}x`)],
      ["no_such_team", () => store.accounts.setRules("team", "nobody", "")],
      ["no_such_key", () => store.accounts.getRules("key", "nobody")],
      ["no_such_key", () => store.accounts.getKey("nobody")],
      ["no_such_org", () => store.accounts.setRules("org", "nobody", null)],
      ["no_such_org", () => store.accounts.createTeam("x", undefined, { orgAlias: "nobody" })],
      ["alias_taken", () => store.accounts.createOrg("acme")],
    ] as const)
      throwsCode(t, code, work);
    t.equal(store.accounts.getRules("team", "ml").text, most);
    t.same([store.accounts.hasKeys(), await store.directory.count("team", {})], [false, 1]);
    t.equal(store.accounts.revision(), revision);
  },

  "the revision grows with every change, whichever process makes it, and with nothing else": async (t, fresh) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const { store: other } = open(t, () => database, clock);
    const revisions = [store.accounts.revision()];
    const changes = [
      () => other.accounts.createTeam("ml"),
      () => store.accounts.createKey(newKey("demo")),
      () => other.accounts.setKeyStatus("demo", "disabled"),
      () => other.accounts.setBudget("key", "demo", budget),
      () => store.accounts.createOrg("acme"),
      () => other.accounts.setRules("team", "ml", "deny when stream\n"),
      () => store.accounts.setRules("team", "ml", null),
    ];
    for (const change of changes) {
      change();
      // One look serves a turn of the event loop.
      await nextTurn();
      revisions.push(store.accounts.revision());
      t.equal(other.accounts.revision(), revisions.at(-1));
    }
    t.same(
      revisions,
      [...new Set(revisions)].sort((a, b) => a - b),
    );
    await other.ledger.commit([{ ...counter, spend: 1, release: 0 }]);
    other.ledger.heartbeat();
    await nextTurn();
    t.equal(store.accounts.revision(), revisions.at(-1));
  },
};
