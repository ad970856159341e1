// The OpenAPI document: whole, true to what is served, and its page.
import t, { type Test } from "tap";
import { z } from "zod";
import type { OpenApiDocument, OpenApiOperation } from "../../src/api/openapi.ts";
import { hoistSchemas } from "../../src/api/shared-schemas.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { CHAT_ANSWER, json, startUpstream } from "../support/upstream.ts";

const ADMIN_KEY = "adm-of-this-test";
const ADMIN = { "x-admin-key": ADMIN_KEY };

interface Rig {
  readonly gateway: TestGateway;
  readonly document: OpenApiDocument;
}

async function setUp(t: Test): Promise<Rig> {
  const upstream = await startUpstream(json(CHAT_ANSWER));
  t.teardown(() => upstream.close());
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }],
    config: { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY } },
  });
  const answer = await fetch(`${gateway.adminUrl}/openapi.json`);
  return { gateway, document: (await answer.json()) as OpenApiDocument };
}

interface Operation extends OpenApiOperation {
  readonly method: string;
  readonly path: string;
}

function operations({ paths }: OpenApiDocument): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
}

/** Every `$ref` in it. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "$ref" && typeof inner === "string" ? [inner] : references(inner),
  );
}

t.test("the document holds together", async (t) => {
  const { document } = await setUp(t);
  const all = operations(document);
  const { schemas, securitySchemes } = document.components as { schemas: object; securitySchemes: object };
  const tags = (document.tags as { name: string }[]).map(({ name }) => name);
  t.same(tags, [...new Set(tags)]);
  t.equal(new Set(all.map(({ operationId }) => operationId)).size, all.length, "operation ids are unique");
  for (const operation of all) {
    const { method, path, operationId, summary, parameters, security, responses, requestBody } = operation;
    const what = `${method} ${path}`;
    t.match(operationId, /^[a-z][A-Za-z0-9]+$/, what);
    t.match(summary, /^[A-Z].*[^.]$/, `${what}: ${summary}`);
    const inPath = parameters.filter((one) => one.in === "path");
    t.same(
      inPath.map(({ name }) => name).sort(),
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort(),
      what,
    );
    t.ok(
      inPath.every(({ required }) => required),
      what,
    );
    t.equal(new Set(parameters.map(({ name }) => name)).size, parameters.length, what);
    t.ok(
      security.every((one) => Object.keys(one).every((name) => name in securitySchemes)),
      what,
    );
    t.ok(
      operation.tags.every((tag) => tags.includes(tag)),
      what,
    );
    t.ok("default" in responses && Object.keys(responses).some((status) => /^2\d\d$/.test(status)), what);
    t.ok(
      Object.values(responses).every(({ description }) => description.length > 0),
      what,
    );
    if (method === "GET") t.equal(requestBody, undefined, what);
  }
  const missing = references(document).filter(
    (ref) => !Object.hasOwn(schemas, ref.replace("#/components/schemas/", "")),
  );
  t.same(missing, [], "what is referred to is there");
  t.notOk(JSON.stringify(document).includes("$defs"));
});

t.test("schemas that are referred to are shared where they are alike, and only there", async (t) => {
  const list = { $defs: { a: { items: { $ref: "#/$defs/a" } } }, properties: { x: { $ref: "#/$defs/a" } } };
  const pair = { $defs: { a: { type: "string" }, b: { items: { $ref: "#/$defs/a" } } }, $ref: "#/$defs/b" };
  const { part, schemas } = hoistSchemas({ one: list, two: [{ schema: list }], three: pair });
  t.strictSame(part, {
    one: { properties: { x: { $ref: "#/components/schemas/Shared1" } } },
    two: [{ schema: { properties: { x: { $ref: "#/components/schemas/Shared1" } } } }],
    three: { $ref: "#/components/schemas/Shared3" },
  });
  t.strictSame(schemas, {
    Shared1: { items: { $ref: "#/components/schemas/Shared1" } },
    Shared2: { type: "string" },
    Shared3: { items: { $ref: "#/components/schemas/Shared2" } },
  });
});

t.test("every operation is served, and asks for the credential that the document says", async (t) => {
  const { gateway, document } = await setUp(t);
  for (const { method, path, security } of operations(document)) {
    const url = `${gateway.adminUrl}${path.replaceAll(/\{\w+\}/g, "x")}`;
    const { status } = await fetch(url, { method });
    if (security.length > 0) t.equal(status, 401, `${method} ${path}`);
    else t.not([401, 404, 405].includes(status), `${method} ${path} is open`);
  }
});

/** Compares an answer with what the document says of it. */
function assertDocumented(
  t: Test,
  document: OpenApiDocument,
  operation: Operation,
  status: number,
  body: unknown,
): void {
  const { responses, operationId } = operation;
  const reply = responses[status] ?? responses.default;
  const [content] = Object.values(reply?.content ?? {}) as { readonly schema: object }[];
  if (content === undefined) return void t.equal(body, undefined, operationId);
  const { schemas } = document.components as { readonly schemas: object };
  const whole = JSON.stringify({ ...content.schema, $defs: schemas }).replaceAll("#/components/schemas/", "#/$defs/");
  const result = z.fromJSONSchema(JSON.parse(whole)).safeParse(body);
  t.ok(result.success, `${operationId} ${status}: ${result.error === undefined ? "" : z.prettifyError(result.error)}`);
  const { properties = {} } = content.schema as { readonly properties?: object };
  const undocumented = Object.keys(body as object).filter(
    (name) => Object.keys(properties).length > 0 && !(name in properties),
  );
  t.same(undocumented, [], `${operationId} ${status}: nothing else is in it`);
}

t.test("what is answered is what the document says, errors too", async (t) => {
  const { gateway, document } = await setUp(t);
  const all = operations(document);
  const seen = new Set<string>();
  let last: Record<string, unknown> = {};
  const ask = async (
    operationId: string,
    params: object = {},
    body?: unknown,
    headers: object = ADMIN,
  ): Promise<void> => {
    const operation = all.find((one) => one.operationId === operationId);
    if (operation === undefined) throw new Error(`there is no operation ${operationId}`);
    const named = params as Readonly<Record<string, string>>;
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
      encodeURIComponent(named[name] ?? "x"),
    );
    const query = new URLSearchParams(Object.entries(named).filter(([name]) => !operation.path.includes(`{${name}}`)));
    const answer = await fetch(`${gateway.adminUrl}${path}?${query}`, {
      method: operation.method,
      headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) } as Record<
        string,
        string
      >,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get("content-type") ?? "");
    last = isJson ? (JSON.parse(text) as typeof last) : {};
    seen.add(`${operationId} ${answer.status}`);
    assertDocumented(t, document, operation, answer.status, isJson ? last : undefined);
  };
  const object = {
    ...{ metadata: { a: [1] }, models: ["gpt-4o-mini"], tpm_limit: 5, model_rpm_limits: { "gpt-4o": 1 } },
    ...{
      budgets: [{ limit_usd: "0.50", window: "30d" }],
      model_budgets: { "gpt-4o": { limit_usd: 1, window: "day" } },
    },
  };
  await ask("createOrg", {}, { id: "acme", alias: "Acme", ...object, soft_budget_usd: "2" });
  await ask("createTeam", {}, { id: "ml", alias: "ML", org_id: "acme", ip_ranges: ["10.0.0.0/8"], ...object });
  await ask("createUser", {}, { id: "ann", alias: "Ann", ...object });
  await ask("createGroup", {}, { id: "gpt", alias: "gpt", models: ["gpt-*"] });
  await ask(
    "createKey",
    {},
    { alias: "ci", team_id: "ml", user_id: "ann", expires: "2100-01-01T00:00:00Z", ...object },
  );
  const secret = String(last.key);
  await ask("rotateKey", { id: "ci" }, { grace_period: "1h" });
  for (const [kind, id] of Object.entries({ Org: "acme", Team: "ml", User: "ann", Group: "gpt", Key: "ci" })) {
    await ask(`list${kind}s`, { limit: "1", search: "a" });
    await ask(`get${kind}`, { id });
    await ask(`get${kind}`, { id: "nobody" });
    await ask(`update${kind}`, { id }, { models: [] });
    await ask(`update${kind}`, { id }, { alias: 5 });
  }
  await ask("updateKey", { id: "ci" }, { rules: "deny modle x" });
  await ask("setTeamMember", { id: "ml", user: "ann" }, { role: "admin" });
  await ask("listTeamMembers", { id: "ml" });
  await gateway.chat({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] });
  await ask("usage", { since: "1h" });
  await ask("listAudit", { limit: "3" });
  await ask("removeTeamMember", { id: "ml", user: "ann" });
  await ask("resetKeySpend", { id: "ci" });
  await ask("deleteKey", { id: "ci" });
  await ask("listKeys", {}, undefined, { authorization: `Bearer ${secret}` });
  await ask("reloadRules");
  await ask("saasCreateTeam", {}, { organization_id: "acme", team_id: "own", access_groups: [], credits_allocated: 3 });
  const own = { authorization: `Bearer ${last.virtual_key}` };
  await ask("saasVerifyKey", {}, undefined, own);
  await ask("saasCreateJob", {}, { job_type: "x", metadata: { a: { b: [null] } } }, own);
  const job = { job_id: String(last.job_id) };
  await ask("saasGetJob", job, undefined, own);
  await ask("saasListJobs", {}, undefined, own);
  await ask("saasCompleteJob", job, undefined, own);
  await ask("saasGetBalance", {}, undefined, own);
  await ask("saasListTransactions", {}, undefined, own);
  await ask("saasGetTeam", { team_id: "own" });
  await ask("saasListTeams");
  await ask("saasListTeams", {}, undefined, own);
  await ask("openApi");
  t.ok(seen.size > 45, `${seen.size} answers`);
});

t.test("the page shows every operation, loads nothing from elsewhere and runs nothing", async (t) => {
  const { gateway, document } = await setUp(t);
  const answer = await fetch(`${gateway.adminUrl}/docs`);
  const page = await answer.text();
  t.match(answer.headers.get("content-security-policy"), /^default-src 'none'/);
  t.notMatch(page, /<script|<link|<img|<iframe|src=|url\(|@import/);
  t.notMatch(page, /https?:\/\//, "no address");
  for (const { operationId, method, path } of operations(document)) {
    t.ok(page.includes(`id="${operationId}"`), `${method} ${path}`);
  }
});
