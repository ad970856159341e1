// Routes that tell which models there are and what requests have cost.
import {
  AccountError,
  type AccountObject,
  type Actor,
  type ApiRoute,
  type ListedRequest,
  momentJson,
  type Price,
  type Target,
  z,
} from "../../src/plugin.ts";
import type { Desk } from "./desk.ts";
import { liteRoute, ok, rowSchema } from "./lite-route.ts";

/** Most rows of a page. */
const PAGE_MAX = 1_000;
const DAY_MS = 86_400_000;
const PICO_PER_USD = 1e12;

/** The routes. */
export function reportRoutes(desk: Desk): readonly ApiRoute[] {
  return [...modelRoutes(desk), spendRoute(desk)];
}

function modelRoutes(desk: Desk): readonly ApiRoute[] {
  return ["/model/info", "/v1/model/info"].map((path) =>
    liteRoute("key", {
      ...{ method: "GET", path, operationId: path === "/model/info" ? "litellmModelInfo" : "litellmModelInfoV1" },
      summary: "The models that the caller may use, with their prices",
      query: z.strictObject({ litellm_model_id: z.string().optional() }),
      replies: ok(z.object({ data: z.array(rowSchema) }), "All of them."),
      handle: async ({ principal, headers, ip, id, query: { litellm_model_id: wanted } }) => {
        const all = await desk.host.models({ principal, headers, ip, id });
        const shown = [...all].map(([name, target]) => modelJson(name, target));
        const data = wanted === undefined ? shown : shown.filter((model) => model.model_info.id === wanted);
        return { status: 200, body: { data } };
      },
    }),
  );
}

function modelJson(name: string, { provider, model, upstreamModel, price, contextTokens, outputTokensMax }: Target) {
  return {
    model_name: name,
    litellm_params: { model: `${provider}/${upstreamModel}` },
    model_info: {
      id: `${provider}/${model}/${name}`,
      ...{ key: model, litellm_provider: provider, db_model: false },
      ...{ max_input_tokens: contextTokens, max_output_tokens: outputTokensMax, max_tokens: outputTokensMax },
      ...priceJson(price),
    },
  };
}

/** US dollars a token. */
function priceJson(price: Price | null): object {
  const perToken = (pico: number | undefined): number | null => (pico === undefined ? null : pico / PICO_PER_USD);
  return {
    input_cost_per_token: perToken(price?.inputPicoUsd),
    output_cost_per_token: perToken(price?.outputPicoUsd),
    cache_read_input_token_cost: perToken(price?.cachedInputPicoUsd),
    cache_creation_input_token_cost: perToken(price?.cacheWritePicoUsd),
  };
}

const query = z.strictObject({
  api_key: z.string().optional().describe("The key's secret, hash, id or alias"),
  user_id: z.string().optional(),
  request_id: z.string().optional(),
  start_date: z.string().optional().describe("2027-01-31, or a time of that day; UTC"),
  end_date: z.string().optional().describe("Its day is in it"),
  summarize: z.stringbool().optional().describe("Only false: sums are at /-/usage"),
  page: z.coerce.number().int().min(1).default(1),
  page_size: z.coerce.number().int().min(1).max(PAGE_MAX).default(100),
});

function spendRoute(desk: Desk): ApiRoute {
  return liteRoute("key", {
    ...{ method: "GET", path: "/spend/logs", operationId: "litellmSpendLogs" },
    summary: "The requests that the caller may see, newest first",
    query,
    replies: ok(z.array(rowSchema), "One page."),
    handle: async ({ actor, query: asked }) => ({ status: 200, body: await logsOf(desk, actor, asked) }),
  });
}

async function logsOf(desk: Desk, actor: Actor, asked: z.output<typeof query>): Promise<readonly object[]> {
  if (asked.summarize === true) {
    throw new AccountError("invalid_field", "`summarize` can only be false: GET /-/usage sums", { field: "summarize" });
  }
  const key = asked.api_key === undefined ? undefined : await desk.get(actor, "key", asked.api_key);
  const rows = desk.host.requests.list({
    id: asked.request_id,
    keyId: key?.id,
    userId: asked.user_id,
    fromMs: momentOf("start_date", asked.start_date)?.ms,
    untilMs: endOf(asked.end_date),
    within: (await desk.accounts.requestsWithin(actor)) ?? undefined,
    limit: asked.page_size,
    skip: (asked.page - 1) * asked.page_size,
  });
  const keys = new Map<string, AccountObject | null>();
  for (const { keyId } of rows) {
    if (keyId !== null && !keys.has(keyId)) keys.set(keyId, await desk.seek(actor, "key", keyId));
  }
  return rows.map((row) => logJson(row, keys.get(row.keyId ?? "")?.secret?.hash ?? row.keyId));
}

/** A day ends with its last millisecond, a moment at itself. */
function endOf(text: string | undefined): number | undefined {
  const end = momentOf("end_date", text);
  return end === undefined ? undefined : end.ms + (end.isDay ? DAY_MS : 1);
}

function momentOf(
  field: string,
  text: string | undefined,
): { readonly ms: number; readonly isDay: boolean } | undefined {
  if (text === undefined) return undefined;
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const written = /[zZ]|[+-]\d\d:?\d\d$/.test(text) || isDay ? text : `${text.replace(" ", "T")}Z`;
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(written) : Number.NaN;
  if (!Number.isNaN(ms)) return { ms, isDay };
  throw new AccountError("invalid_field", `\`${field}\` must be a date: 2027-01-31`, { field });
}

/** Endpoint → what LiteLLM calls it. */
const CALL_TYPES: Readonly<Record<string, string>> = {
  chat: "acompletion",
  completions: "atext_completion",
  embeddings: "aembedding",
  responses: "aresponses",
  messages: "anthropic_messages",
};

function logJson(row: ListedRequest, apiKey: string | null): object {
  const { receivedMs, firstByteMs, totalMs, inputTokens, outputTokens, endpoint } = row;
  const at = (afterMs: number): string | null => momentJson(Math.round(receivedMs + afterMs));
  return {
    request_id: row.id,
    call_type: CALL_TYPES[endpoint ?? ""] ?? endpoint ?? "",
    ...{ api_key: apiKey ?? "", user: row.userId ?? "", team_id: row.teamId, organization_id: row.orgId },
    spend: row.costNanoUsd / 1e9,
    total_tokens: (inputTokens ?? 0) + (outputTokens ?? 0),
    ...{ prompt_tokens: inputTokens ?? 0, completion_tokens: outputTokens ?? 0 },
    ...{ startTime: at(0), endTime: at(totalMs), completionStartTime: firstByteMs === null ? null : at(firstByteMs) },
    ...{ model: row.model ?? "", model_group: row.modelRequested ?? "", custom_llm_provider: row.provider ?? "" },
    ...{ requester_ip_address: row.ip, end_user: "", cache_hit: "False", request_tags: [] },
    status: row.error === null && row.status < 400 ? "success" : "failure",
    metadata: { user_api_key_alias: row.keyAlias, status_code: row.status, error: row.error },
  };
}
