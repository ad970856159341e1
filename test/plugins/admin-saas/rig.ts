// A gateway with the routes of SaaS LiteLLM's shape, and someone who asks it things.
import type { Test } from "tap";
import type { Clock } from "../../../src/types.ts";
import { startTestGateway, type TestGateway } from "../../support/gateway.ts";
import { type ScriptedUpstream, startUpstream } from "../../support/upstream.ts";

export const ADMIN_KEY = "adm-of-this-test";
export const ADMIN = { "x-admin-key": ADMIN_KEY };
export const bearer = (key: unknown): Record<string, string> => ({ authorization: `Bearer ${key}` });

export type Json = Record<string, unknown>;

/** One answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Json;
}

export type Ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

export interface Rig {
  readonly gateway: TestGateway;
  readonly upstream: ScriptedUpstream;
  /** Asks the admin listener as the admin, or with another credential. */
  readonly admin: Ask;
  /** Asks the data plane. */
  readonly data: Ask;
}

/** The guide's team, as its creation asks for it. */
export const ACME = {
  organization_id: "org_acme",
  team_id: "acme-corp",
  team_alias: "ACME Corp Team",
  access_groups: ["gpt-models"],
  credits_allocated: 1000,
};

export const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }], max_tokens: 20 };

/** @param saas the plugin's config */
export async function setUp(t: Test, { saas, config, clock }: { saas?: object; config?: object; clock?: Clock } = {}) {
  const upstream = await startUpstream();
  t.teardown(() => upstream.close());
  const plugins = ["auth", "iam", "budget", "logging", { use: "admin-saas", ...(saas && { config: saas }) }];
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }],
    config: {
      ...{ admin: { listen: "127.0.0.1:0", key: ADMIN_KEY }, plugins, trusted_proxies: ["127.0.0.1"] },
      ...config,
    },
    ...(clock && { clock }),
  });
  let asked = 0;
  const askAt =
    (url: string): Ask =>
    async (method, path, body, headers = ADMIN) => {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
      asked += 1;
      // Each from an address of its own: who sends wrong credentials is slowed down by address.
      const from = { "x-forwarded-for": `10.1.${asked >> 8}.${asked & 255}` };
      const answer = await fetch(`${url}${path}`, { method, headers: { ...type, ...from, ...headers }, ...sent });
      const text = await answer.text();
      const isJson = answer.headers.get("content-type")?.includes("json") === true;
      return { status: answer.status, headers: answer.headers, json: isJson ? (JSON.parse(text) as Json) : { text } };
    };
  return { gateway, upstream, admin: askAt(gateway.adminUrl), data: askAt(gateway.url) } satisfies Rig;
}

/** The guide's team, with an access group that has a model. */
export async function acme({ admin }: Rig, more: object = {}): Promise<{ key: string; as: Record<string, string> }> {
  await admin("POST", "/api/access-groups/create", { group_name: "gpt-models", models: ["gpt-4o-mini"] });
  const made = await admin("POST", "/api/teams/create", { ...ACME, ...more });
  const key = String(made.json.virtual_key);
  return { key, as: bearer(key) };
}
