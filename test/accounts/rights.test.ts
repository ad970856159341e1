// Who may do what: every role tries every operation and every field on a real store; the outcome is a golden table.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { AccountError } from "../../src/accounts/errors.ts";
import { FIELDS, wireName } from "../../src/accounts/fields.ts";
import { RIGHTS, type Standing } from "../../src/accounts/rights.ts";
import type { AccountKind } from "../../src/store/directory.ts";
import { master, PEOPLE, peopledWorld, refused, user, type World } from "./fixture.ts";

const GOLDEN = join(import.meta.dirname, "../golden/accounts/rights.txt");
const ROLES = Object.keys(PEOPLE) as (keyof typeof PEOPLE)[];

/** A value for each field that is not what the objects below have. */
const VALUES: Readonly<Record<string, unknown>> = {
  ...{
    alias: "another",
    description: "for x",
    metadata: { a: 1 },
    models: ["gpt-4"],
    accessGroups: ["fast"],
    ipRanges: ["10.0.0.0/8"],
  },
  ...{ tpmLimit: 5, rpmLimit: 5, maxParallelRequests: 5, modelTpmLimits: { m: 5 }, modelRpmLimits: { m: 5 } },
  ...{ budgets: [{ limitUsd: "5", window: "month" }], softBudgetUsd: "4", modelBudgets: { m: { limitUsd: "1" } } },
  ...{ rules: "deny\n", teamId: "ml2", userId: "mia", serviceAccount: true, status: "disabled", expiresMs: 9e15 },
  budgetMode: "consumption_usd",
  ...{ tags: ["x"], roles: ["dev"], allowedRoutes: ["info_routes"], keyType: "read_only", orgId: "rival" },
  ...{
    tempBudgetIncreaseUsd: "1",
    tempBudgetExpiresMs: 9e15,
    memberPermissions: ["/key/generate"],
    modelAliases: { m: "gpt-4" },
    noMainBudget: true,
    email: "a@b.example",
    role: "proxy_admin",
  },
};
const STATUSES: Readonly<Partial<Record<AccountKind, string>>> = { team: "paused", user: "paused", org: "paused" };
/** Fields that say something only together. */
const TOGETHER: Readonly<Record<string, readonly string[]>> = {
  tempBudgetIncreaseUsd: ["tempBudgetExpiresMs"],
  tempBudgetExpiresMs: ["tempBudgetIncreaseUsd"],
};

type Outcome = "yes" | "403" | "404" | "400";

/** Ann's key in team ml of organisation acme, and another of hers for each try. */
async function objects(world: World): Promise<Readonly<Record<AccountKind, string>>> {
  await world.accounts.create(master, "team", { id: "ml2", fields: { orgId: "acme" } });
  await world.accounts.setMember(master, "team", "ml2", "tom", "admin");
  await world.accounts.create(master, "group", { id: "fast", fields: { models: ["gpt-4o-mini"] } });
  await world.accounts.create(master, "user", { id: "ann2", fields: {} });
  await world.accounts.setMember(master, "team", "ml", "ann2", "user");
  return { key: await freshKey(world), team: "ml", user: "ann", org: "acme", group: "fast" };
}

async function freshKey({ keys, accounts }: World): Promise<string> {
  const { key } = await keys.create(master, { userId: "ann", teamId: "ml" });
  return (await accounts.get(master, "key", key.id)).id;
}

async function attempt(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    await work();
    return "yes";
  } catch (error) {
    if (!(error instanceof AccountError)) throw error;
    return String(error.status) as Outcome;
  }
}

function wishFor(kind: AccountKind, field: string): Record<string, unknown> {
  const value = field === "status" ? (STATUSES[kind] ?? VALUES.status) : VALUES[field];
  if (value === undefined) throw new Error(`the test has no value for ${field}`);
  const together = (TOGETHER[field] ?? []).map((other) => [other, VALUES[other]] as const);
  // A service account's key has no user, so both change.
  const more = field === "serviceAccount" ? { userId: null } : {};
  return { [field]: value, ...Object.fromEntries(together), ...more };
}

async function tryField(world: World, kind: AccountKind, id: string, field: string): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const role of ROLES) {
    const target = kind === "key" ? await freshKey(world) : id;
    const before = await world.accounts.get(master, kind, target);
    outcomes.push(await attempt(() => world.accounts.update(user(PEOPLE[role]), kind, target, wishFor(kind, field))));
    await world.accounts.update(master, kind, target, before.fields);
  }
  return outcomes;
}

const FREE_ONLY = { ruleType: "allow_pricing", ruleValue: { pricingType: "free" } };

type Try = (world: World, who: ReturnType<typeof user>, id: string) => Promise<unknown>;

/** Operations, each on objects that may be lost. */
const TRIES: Readonly<Record<string, Try>> = {
  "key read": ({ accounts }, who, id) => accounts.get(who, "key", id),
  "key create for oneself": ({ keys }, who) => keys.create(who, {}),
  "key create in the team": ({ keys }, who) => keys.create(who, { teamId: "ml" }),
  "key create for a service account": ({ keys }, who) => keys.create(who, { teamId: "ml", serviceAccount: true }),
  "key create for another": ({ keys }, who) => keys.create(who, { userId: "ann2" }),
  "key delete": async (world, who) => world.accounts.remove(who, "key", [await freshKey(world)]),
  "key regenerate": ({ keys }, who, id) => keys.regenerate(who, id),
  "key block": async (world, who) => world.keys.setBlocked(who, await freshKey(world), true),
  "key reset spend": ({ accounts }, who, id) => accounts.resetSpend(who, "key", id),
  "key iam read": ({ iam }, who, id) => iam.list(who, "key", id),
  "key iam change": ({ iam }, who, id) => iam.add(who, "key", id, FREE_ONLY),
  "team iam read": ({ iam }, who) => iam.list(who, "team", "ml"),
  "team iam change": ({ iam }, who) => iam.add(who, "team", "ml", FREE_ONLY),
  "org iam read": ({ iam }, who) => iam.list(who, "org", "acme"),
  "org iam change": ({ iam }, who) => iam.add(who, "org", "acme", FREE_ONLY),
  "team read": ({ accounts }, who) => accounts.get(who, "team", "ml"),
  "team create in the org": ({ accounts }, who) =>
    accounts.create(who, "team", { fields: { alias: "n", orgId: "acme" } }),
  "team create without an org": ({ accounts }, who) => accounts.create(who, "team", { fields: { alias: "o" } }),
  "team delete": async ({ accounts }, who) => {
    await accounts.create(master, "team", { id: `t-${Math.random()}`.replace(".", ""), fields: { orgId: "acme" } });
    const { items } = await accounts.list(master, "team", { limit: 1000 });
    const { id } = items.at(-1) ?? { id: "" };
    await accounts.setMember(master, "team", id, "tom", "admin");
    await accounts.setMember(master, "team", id, "ann", "user");
    return accounts.remove(who, "team", [id]);
  },
  "team add member": ({ accounts }, who) => accounts.setMember(who, "team", "ml", "ann2", "user"),
  "team reset spend": ({ accounts }, who) => accounts.resetSpend(who, "team", "ml"),
  "user read": ({ accounts }, who) => accounts.get(who, "user", "ann"),
  "user create": ({ accounts }, who) => accounts.create(who, "user", { fields: { alias: "new" } }),
  "user delete": ({ accounts }, who) => accounts.remove(who, "user", ["ann2"]),
  "org read": ({ accounts }, who) => accounts.get(who, "org", "acme"),
  "org create": ({ accounts }, who) => accounts.create(who, "org", { fields: { alias: "new" } }),
  "org add member": ({ accounts }, who) => accounts.setMember(who, "org", "acme", "mia", "user"),
  "group read": ({ accounts }, who) => accounts.get(who, "group", "fast"),
  "group create": ({ accounts }, who) => accounts.create(who, "group", { fields: { alias: "new", models: ["m"] } }),
  "audit read": ({ accounts }, who) => accounts.audit(who, { limit: 1 }),
};

/** Puts back what a try has made. */
async function tidy({ accounts }: World): Promise<void> {
  for (const kind of ["team", "user", "org", "group"] as const) {
    for (const alias of ["new", "n", "o"]) await accounts.remove(master, kind, [alias]).catch(() => undefined);
  }
  await accounts.create(master, "user", { fields: { alias: "ann2" } }).catch(() => undefined);
  await accounts.removeMember(master, "org", "acme", "mia").catch(() => undefined);
}

async function table(t: Test): Promise<string> {
  const world = await peopledWorld(t);
  const ids = await objects(world);
  const rows: string[][] = [["", ...ROLES]];
  for (const [name, run] of Object.entries(TRIES)) {
    const row: string[] = [name];
    for (const role of ROLES) {
      row.push(await attempt(() => run(world, user(PEOPLE[role]), ids.key)));
      await tidy(world);
    }
    rows.push(row);
  }
  for (const kind of ["key", "team", "user", "org", "group"] as const) {
    const fields = [...Object.keys(FIELDS[kind]), ...(kind === "key" ? ["keyType"] : [])];
    for (const field of fields)
      rows.push([`${kind} ${wireName(field)}`, ...(await tryField(world, kind, ids[kind], field))]);
  }
  const widths = rows[0]?.map((_cell, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

t.test("each role, operation and field has the outcome that the golden table says", async (t) => {
  const outcomes = await table(t);
  if (process.env.GOLDEN_WRITE === "1") writeFileSync(GOLDEN, outcomes);
  t.equal(outcomes, readFileSync(GOLDEN, "utf8"));
});

t.test("who is no admin and no viewer reads nothing of another tenant, by id, alias, list or count", async (t) => {
  const world = await peopledWorld(t);
  const { accounts, keys } = world;
  const { key, secret } = await keys.create(master, { alias: "secret-plan", userId: "ann", teamId: "ml" });
  const sam = user("sam");
  const targets = [
    ["key", key.id],
    ["key", "secret-plan"],
    ["team", "ml"],
    ["user", "ann"],
    ["org", "acme"],
  ] as const;
  for (const [kind, id] of targets) {
    let words = "";
    await accounts.get(sam, kind, "nothing-there").catch((error: Error) => (words = error.message));
    const tries = [
      () => accounts.get(sam, kind, id),
      () => accounts.update(sam, kind, id, { alias: "mine" }),
      () => accounts.update(sam, kind, id, { noSuchField: 1 }),
      () => accounts.remove(sam, kind, [id]),
      () => accounts.resetSpend(sam, kind, id),
    ];
    for (const run of tries) await refused(t, "not_found", run(), words, `${kind} ${id}`);
  }
  await refused(t, "not_found", keys.regenerate(sam, secret), "There is no such key");
  await refused(t, "not_found", keys.setBlocked(sam, key.id, true), "There is no such key");
  await refused(t, "not_found", accounts.members(sam, "team", "ml"), "There is no such team");
  await refused(t, "not_found", accounts.setMember(sam, "team", "ml", "sam", "admin"), "There is no such team");
  for (const name of ["ann", "nobody"]) {
    await refused(t, "not_found", accounts.setMember(sam, "team", "spies", name, "user"), "There is no such user");
  }
  for (const kind of ["key", "team", "user", "org", "group"] as const) {
    const seen = (await accounts.list(sam, kind)).items.map(({ id }) => id);
    t.same(seen, { key: [], team: ["spies"], user: ["sam"], org: ["rival"], group: [] }[kind], kind);
    const wish = { within: { ids: ["ml", "ann", "acme", key.id], teamIds: ["ml"], orgIds: ["acme"], userId: "ann" } };
    t.same((await accounts.list(sam, kind, wish)).items, [], `${kind}, asked for`);
    t.equal(await accounts.count(sam, kind, wish), 0);
  }
  t.same(
    (await accounts.list(user("tom"), "key", {})).items.map(({ id }) => id),
    [key.id],
    "its team's admin sees it",
  );
  t.same(
    (await accounts.list(user("tom"), "key", { within: { userId: "ann" } })).items.map(({ id }) => id),
    [key.id],
    "also when asked for by its user",
  );
  t.equal(await accounts.count(user("tom"), "key", { within: { userId: "mia" } }), 0);
  t.same(
    (await accounts.list(user("olga"), "key", { within: { teamIds: ["ml", "spies"] } })).items.map(({ id }) => id),
    [key.id],
    "its organisation's admin too, and no other's",
  );
});

t.test("the table of rights only ever names standings above a stranger", async (t) => {
  const known: readonly Standing[] = [
    "admin",
    "viewer",
    "org_admin",
    "team_admin",
    "permitted",
    "owner",
    "member",
    "self",
  ];
  for (const [kind, rights] of Object.entries(RIGHTS)) {
    for (const [right, standings] of Object.entries(rights)) {
      t.ok(
        standings.every((standing) => known.includes(standing)),
        `${kind} ${right}`,
      );
      if (right !== "read") t.notOk(standings.includes("viewer"), `a viewer has no right to ${right} a ${kind}`);
    }
  }
});

t.test("whatever is set in which order, nobody of a lower rank gets beyond what a higher one set", async (t) => {
  const world = await peopledWorld(t);
  const ranks = { ada: 3, olga: 2, tom: 1, ann: 0 } as const;
  const names = ["a", "b", "c"];
  const step = fc.record({
    who: fc.constantFrom(...(Object.keys(ranks) as (keyof typeof ranks)[])),
    models: fc.option(fc.subarray(names)),
    rpmLimit: fc.option(fc.integer({ min: 0, max: 5 })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const { key } = await world.keys.create(master, { userId: "ann", teamId: "ml" });
      // A model: what each rank set last, unless one above set it anew since.
      const set: Record<"models" | "rpmLimit", Map<number, unknown>> = { models: new Map(), rpmLimit: new Map() };
      for (const { who, models, rpmLimit } of steps) {
        for (const [field, value] of [
          ["models", models?.length ? models : null],
          ["rpmLimit", rpmLimit],
        ] as const) {
          const before = (await world.accounts.get(master, "key", key.id)).fields[field] ?? null;
          const isChange = JSON.stringify(norm(before)) !== JSON.stringify(norm(value));
          const above = [...set[field]].filter(([rank]) => rank > ranks[who]).map(([, bound]) => bound);
          const fits = above.every((bound) => isWithin(value, bound));
          const outcome = await attempt(() => world.accounts.update(user(who), "key", key.id, { [field]: value }));
          if (outcome !== (isChange && !fits ? "403" : "yes")) throw new Error(`${who} sets ${field}: ${outcome}`);
          if (outcome !== "yes" || !isChange || ranks[who] === 0) continue;
          for (const rank of [...set[field].keys()]) if (rank <= ranks[who]) set[field].delete(rank);
          if (value !== null) set[field].set(ranks[who], value);
        }
      }
    }),
    { numRuns: 60 },
  );
});

function norm(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? null : [...value].sort();
  return value ?? null;
}

function isWithin(value: unknown, bound: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (Array.isArray(value)) return value.every((one) => (bound as unknown[]).includes(one));
  return (value as number) <= (bound as number);
}
