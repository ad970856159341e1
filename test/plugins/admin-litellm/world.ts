// A gateway with two tenants and people in every role, made and used over HTTP as a client of LiteLLM's would.
import type { Test } from "tap";
import { startTestGateway, type TestGateway } from "../../support/gateway.ts";

const ADMIN_KEY = "adm-of-this-test";
const PROVIDERS = [{ name: "demo", base_url: "demo:", wire: "openai" }];

export type Json = Record<string, unknown>;

/** An answer. `json.error.message` is at `message`. */
export interface Answer {
  readonly status: number;
  readonly json: Json;
  readonly message: string;
}

/** Whoever asks: the admin key, or one of the people by its own key. */
export type Who = "master" | Person;

export interface World {
  readonly gateway: TestGateway;
  /** The people's keys. */
  readonly sessions: ReadonlyMap<Person, string>;
  /** Asks as one of the people, or with any secret. */
  ask(who: Who | { readonly secret: string }, method: string, path: string, body?: object): Promise<Answer>;
  /** Makes a key and gives its row with the secret in `key`. */
  newKey(who: Who, body?: object): Promise<Json>;
  /** The key's row as `/key/info` shows it. */
  info(who: Who, key: unknown): Promise<Json>;
}

/** Role → who has it. All but Sam are of acme and its team `ml`; Sam is an admin of everything at rival. */
export const PEOPLE = {
  admin: "ada",
  viewer: "vic",
  org_admin: "olga",
  team_admin: "tom",
  owner: "ann",
  member: "mia",
  internal_viewer: "ivy",
  stranger: "sam",
} as const;
export type Person = (typeof PEOPLE)[keyof typeof PEOPLE];

const ROLES: Readonly<Partial<Record<Person, string>>> = {
  ada: "proxy_admin",
  vic: "proxy_admin_viewer",
  ivy: "internal_user_viewer",
};

export async function startWorld(t: Test): Promise<World> {
  const gateway = await startTestGateway(t, {
    providers: PROVIDERS,
    config: { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY } },
  });
  const sessions = new Map<Person, string>();
  const ask: World["ask"] = async (who, method, path, body) => {
    const secret = typeof who === "object" ? who.secret : who === "master" ? ADMIN_KEY : sessions.get(who);
    const answer = await fetch(`${gateway.adminUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json = (await answer.json()) as Json;
    return { status: answer.status, json, message: String((json.error as Json | undefined)?.message ?? "") };
  };
  const must = async (...asked: Parameters<World["ask"]>): Promise<Json> => {
    const answer = await ask(...asked);
    if (answer.status !== 200) throw new Error(`${asked[1]} ${asked[2]}: ${answer.status} ${answer.message}`);
    return answer.json;
  };
  for (const id of Object.values(PEOPLE)) {
    const made = await must("master", "POST", "/user/new", { user_id: id, user_role: ROLES[id] ?? "internal_user" });
    sessions.set(id, String(made.key));
  }
  for (const [org, team, admin, teamAdmin] of [
    ["acme", "ml", "olga", "tom"],
    ["rival", "spies", "sam", "sam"],
  ]) {
    await must("master", "POST", "/organization/new", { organization_id: org });
    await must("master", "POST", "/team/new", { team_id: team, organization_id: org });
    const orgAdmin = { user_id: admin, role: "org_admin" };
    await must("master", "POST", "/organization/member_add", { organization_id: org, member: orgAdmin });
    await must("master", "POST", "/team/member_add", { team_id: team, member: { user_id: teamAdmin, role: "admin" } });
  }
  const members = ["ann", "mia", "ivy"].map((user_id) => ({ user_id, role: "user" }));
  await must("master", "POST", "/team/member_add", { team_id: "ml", member: members });
  return {
    gateway,
    sessions,
    ask,
    newKey: (who, body = {}) => must(who, "POST", "/key/generate", body),
    info: async (who, key) => (await must(who, "GET", `/key/info?key=${encodeURIComponent(String(key))}`)).info as Json,
  };
}
