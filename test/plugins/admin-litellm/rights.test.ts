// Who may do what in LiteLLM's shape: every role asks every route and changes every field over HTTP; a golden table.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { LITE_FIELDS, type LiteKind } from "../../../plugins/admin-litellm/fields.ts";
import { type Json, PEOPLE, type Person, startWorld, type World } from "./world.ts";

const GOLDEN = join(import.meta.dirname, "../../golden/accounts/litellm-rights.txt");
const ROLES = Object.keys(PEOPLE) as (keyof typeof PEOPLE)[];

/** What names an object in a body, and where it is shown and changed. */
const KINDS = {
  key: { id: "key", info: "", update: "/key/update" },
  team: { id: "team_id", info: "/team/info?team_id=", update: "/team/update" },
  user: { id: "user_id", info: "/user/info?user_id=", update: "/user/update" },
  org: { id: "organization_id", info: "/organization/info?organization_id=", update: "/organization/update" },
} as const satisfies Record<LiteKind, object>;

/** A value for each field that is not what the objects have. */
const VALUES: Json = {
  ...{ key_alias: "another", team_alias: "another", user_alias: "another", organization_alias: "another" },
  ...{ team_id: "ml2", user_id: "mia", organization_id: "rival", user_email: "a@b.example", user_role: "proxy_admin" },
  ...{ models: ["gpt-4"], access_group_ids: ["fast"], tpm_limit: 5, rpm_limit: 5, max_parallel_requests: 5 },
  ...{ model_tpm_limit: { m: 5 }, model_rpm_limit: { m: 5 }, soft_budget: 4, model_max_budget: { m: 1 } },
  ...{ metadata: { a: 1 }, aliases: { m: "gpt-4" }, model_aliases: { m: "gpt-4" }, tags: ["x"] },
  ...{ allowed_routes: ["info_routes"], temp_budget_increase: 1, temp_budget_expiry: "2099-01-01T00:00:00Z" },
  ...{ service_account: true, team_member_permissions: ["/key/generate"], blocked: true, max_budget: 5 },
  ...{ budget_limits: [{ budget_duration: "1d", max_budget: 1 }], duration: "30d", key_type: "read_only" },
};
/** Fields that say something only together. */
const TOGETHER: Readonly<Record<string, Json>> = {
  temp_budget_increase: { temp_budget_expiry: VALUES.temp_budget_expiry },
  temp_budget_expiry: { temp_budget_increase: 1 },
  service_account: { user_id: null },
};
const KEY_ONLY = ["duration", "key_type"];

/** Ann's key in team ml. */
async function freshKey({ newKey }: World): Promise<string> {
  return String((await newKey("master", { user_id: "ann", team_id: "ml" })).key);
}

type Call = readonly [method: string, path: string, body?: object];

/** A deleted id is taken for good, so each try has new ones. */
let tries = 0;
const newId = (): string => {
  tries += 1;
  return `x${tries}`;
};

async function freshTeam({ ask }: World): Promise<string> {
  const team_id = newId();
  const members = ["tom", "ann", "mia", "ivy"].map((id) => ({ user_id: id, role: id === "tom" ? "admin" : "user" }));
  await ask("master", "POST", "/team/new", { team_id, organization_id: "acme", members_with_roles: members });
  return team_id;
}

async function freshUser({ ask }: World): Promise<string> {
  const user_id = newId();
  await ask("master", "POST", "/user/new", { user_id, auto_create_key: false });
  return user_id;
}

async function freshOrg({ ask }: World): Promise<string> {
  const organization_id = newId();
  await ask("master", "POST", "/organization/new", { organization_id });
  return organization_id;
}

/** Routes, each asked for something that may be lost. */
const ROUTES: Readonly<Record<string, (world: World) => Call | Promise<Call>>> = {
  "generate a key": () => ["POST", "/key/generate", {}],
  "generate in the team": () => ["POST", "/key/generate", { team_id: "ml" }],
  "generate for another": () => ["POST", "/key/generate", { user_id: "mia" }],
  "service account": () => ["POST", "/key/service-account/generate", { team_id: "ml" }],
  "key info": async (world) => ["GET", `/key/info?key=${await freshKey(world)}`],
  "key delete": async (world) => ["POST", "/key/delete", { keys: [await freshKey(world)] }],
  "key regenerate": async (world) => ["POST", "/key/regenerate", { key: await freshKey(world) }],
  "key block": async (world) => ["POST", "/key/block", { key: await freshKey(world) }],
  "key unblock": async (world) => ["POST", "/key/unblock", { key: await freshKey(world) }],
  "key reset_spend": async (world) => ["POST", `/key/${await freshKey(world)}/reset_spend`],
  "team new": () => ["POST", "/team/new", { team_alias: newId() }],
  "team new in the org": () => ["POST", "/team/new", { team_alias: newId(), organization_id: "acme" }],
  "team info": () => ["GET", "/team/info?team_id=ml"],
  "team delete": async (world) => ["POST", "/team/delete", { team_ids: [await freshTeam(world)] }],
  "team block": async (world) => ["POST", "/team/block", { team_id: await freshTeam(world) }],
  "team member_add": async (world) => [
    ...(["POST", "/team/member_add"] as const),
    { team_id: await freshTeam(world), member: { user_id: "mia", role: "user" } },
  ],
  "team member_update": async (world) => [
    ...(["POST", "/team/member_update"] as const),
    { team_id: await freshTeam(world), user_id: "mia", role: "admin" },
  ],
  "team member_delete": async (world) => [
    ...(["POST", "/team/member_delete"] as const),
    { team_id: await freshTeam(world), user_id: "mia" },
  ],
  "team permissions_list": () => ["GET", "/team/permissions_list?team_id=ml"],
  "team permissions_update": async (world) => [
    ...(["POST", "/team/permissions_update"] as const),
    { team_id: await freshTeam(world), team_member_permissions: ["/key/generate"] },
  ],
  "user new": () => ["POST", "/user/new", { user_alias: newId() }],
  "user info": () => ["GET", "/user/info?user_id=ann"],
  "user delete": async (world) => ["POST", "/user/delete", { user_ids: [await freshUser(world)] }],
  "organization new": () => ["POST", "/organization/new", { organization_alias: newId() }],
  "organization info": () => ["GET", "/organization/info?organization_id=acme"],
  "organization delete": async (world) => [
    "DELETE",
    "/organization/delete",
    { organization_ids: [await freshOrg(world)] },
  ],
  "organization member_add": () => [
    ...(["POST", "/organization/member_add"] as const),
    { organization_id: "acme", member: { user_id: "olga", role: "org_admin" } },
  ],
  "model info": () => ["GET", "/model/info"],
  "spend logs": () => ["GET", "/spend/logs"],
};

async function attempt(world: World, who: Person, name: string): Promise<string> {
  const [method, path, body] = (await ROUTES[name]?.(world)) ?? ["GET", "/nowhere"];
  return String((await world.ask(who, method, path, body)).status);
}

/** The objects but for keys as they were: what a change of theirs is undone with. */
type Before = Readonly<Record<Exclude<LiteKind, "key">, Json>>;

async function before({ ask }: World): Promise<Before> {
  const shown = async (kind: keyof Before): Promise<Json> => {
    const { json } = await ask("master", "GET", `${KINDS[kind].info}${NAMES[kind]}`);
    return (json.team_info ?? json.user_info ?? json) as Json;
  };
  return { team: await shown("team"), user: await shown("user"), org: await shown("org") };
}

const NAMES = { team: "ml", user: "ann", org: "acme" } as const;

async function change(world: World, who: Person, kind: LiteKind, field: string, stored: Before): Promise<string> {
  const { id, update } = KINDS[kind];
  const name = kind === "key" ? await freshKey(world) : NAMES[kind];
  const value = field === "key_alias" ? newId() : VALUES[field];
  const wish = { [field]: value, ...TOGETHER[field] };
  const { status } = await world.ask(who, "POST", update, { [id]: name, ...wish });
  if (kind !== "key" && status === 200) {
    const back = Object.fromEntries(Object.keys(wish).map((one) => [one, stored[kind][one]]));
    await world.ask("master", "POST", update, { [id]: name, ...back });
  }
  return String(status);
}

async function table(t: Test): Promise<string> {
  const world = await startWorld(t);
  await world.ask("master", "POST", "/team/new", { team_id: "ml2", organization_id: "acme" });
  await world.ask("master", "POST", "/team/member_add", { team_id: "ml2", member: { user_id: "tom", role: "admin" } });
  const stored = await before(world);
  const rows: string[][] = [["", ...ROLES]];
  const row = async (name: string, outcome: (who: Person) => Promise<string>): Promise<void> => {
    const cells: string[] = [];
    for (const role of ROLES) cells.push(await outcome(PEOPLE[role]));
    rows.push([name, ...cells]);
  };
  for (const name of Object.keys(ROUTES)) await row(name, (who) => attempt(world, who, name));
  for (const kind of ["key", "team", "user", "org"] as const) {
    const fields = [...Object.keys(LITE_FIELDS[kind]), "max_budget", "budget_limits", "blocked"];
    for (const field of kind === "key" ? [...fields, ...KEY_ONLY] : fields) {
      await row(`${kind} ${field}`, (who) => change(world, who, kind, field, stored));
    }
  }
  const widths = rows[0]?.map((_cell, i) => Math.max(...rows.map((cells) => cells[i]?.length ?? 0))) ?? [];
  return rows
    .map(
      (cells) =>
        `${cells
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

t.test("each role has at each route and field the status that the golden table says", async (t) => {
  const outcomes = await table(t);
  if (process.env.GOLDEN_WRITE === "1") writeFileSync(GOLDEN, outcomes);
  t.equal(outcomes, readFileSync(GOLDEN, "utf8"));
});

t.test("another tenant's objects are not there: by id, alias, hash and secret, in every route alike", async (t) => {
  const { ask, newKey } = await startWorld(t);
  const key = await newKey("master", { key_alias: "secret-plan", user_id: "ann", team_id: "ml" });
  const names = [key.key, key.token, key.token_id, "secret-plan"];
  const nobody = await ask("sam", "GET", "/key/info?key=nothing-there");
  t.match(nobody, { status: 404, message: "There is no such key" });
  for (const name of names) {
    const tries: readonly Call[] = [
      ["GET", `/key/info?key=${encodeURIComponent(String(name))}`],
      ["POST", "/key/update", { key: name, models: ["m"] }],
      ["POST", "/key/update", { key: name, allowed_routes: ["/x"] }],
      ["POST", "/key/update", { key: name, spend: 0 }],
      ["POST", "/key/delete", { keys: [name] }],
      ["POST", "/key/regenerate", { key: name }],
      ["POST", `/key/${encodeURIComponent(String(name))}/regenerate`, {}],
      ["POST", "/key/block", { key: name }],
      ["POST", "/key/unblock", { key: name }],
      ["POST", `/key/${encodeURIComponent(String(name))}/reset_spend`, {}],
      ["GET", `/spend/logs?api_key=${encodeURIComponent(String(name))}`],
    ];
    for (const [method, path, body] of tries) {
      const { status, json } = await ask("sam", method, path, body);
      t.strictSame([status, json], [404, nobody.json], `${method} ${path}`);
    }
  }
  const others: readonly Call[] = [
    ["GET", "/team/info?team_id=ml"],
    ["POST", "/team/update", { team_id: "ml", models: ["m"] }],
    ["POST", "/team/delete", { team_ids: ["spies", "ml"] }],
    ["POST", "/team/block", { team_id: "ml" }],
    ["POST", "/team/member_add", { team_id: "ml", member: { user_id: "sam", role: "admin" } }],
    ["POST", "/team/member_update", { team_id: "ml", user_id: "ann", role: "admin" }],
    ["POST", "/team/member_delete", { team_id: "ml", user_id: "ann" }],
    ["GET", "/team/permissions_list?team_id=ml"],
    ["POST", "/team/permissions_update", { team_id: "ml", team_member_permissions: [] }],
    ["POST", "/key/generate", { team_id: "ml" }],
    ["POST", "/team/member_add", { team_id: "spies", member: { user_id: "ann", role: "user" } }],
    ["GET", "/user/info?user_id=ann"],
    ["POST", "/user/update", { user_id: "ann", metadata: { a: 1 } }],
    ["GET", "/organization/info?organization_id=acme"],
    ["PATCH", "/organization/update", { organization_id: "acme", metadata: { a: 1 } }],
  ];
  for (const [method, path, body] of others) {
    t.match(await ask("sam", method, path, body), { status: 404, message: /^There is no such/ }, `${method} ${path}`);
  }
  for (const [path, at] of [
    ["/key/list?return_full_object=true&user_id=ann", "keys"],
    ["/key/list?team_id=ml", "keys"],
    ["/key/list?organization_id=acme", "keys"],
    [`/key/list?key_hash=${key.token}`, "keys"],
    ["/key/list?key_alias=secret", "keys"],
    ["/user/list?user_ids=ann", "users"],
    ["/team/list?user_id=ann", ""],
    ["/team/list?organization_id=acme", ""],
    ["/spend/logs?user_id=ann", ""],
  ] as const) {
    const { json } = await ask("sam", "GET", path);
    t.strictSame(at === "" ? json : json[at], [], path);
  }
  t.equal((await ask("ann", "GET", `/key/info?key=${key.token}`)).status, 200, "and nothing of it is lost");
});
