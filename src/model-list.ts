// GET /v1/models and /v1/models/{id}: what a principal may use, in the caller's dialect.
import { GatewayError } from "./errors.ts";
import type { Catalogue } from "./llm/catalogue.ts";
import { modelsAnswer } from "./llm/models-answer.ts";
import type { Call, Decision, RequestHead, Target } from "./types.ts";

const LIST_PATH = "/v1/models";
const NO_BODY = Buffer.from("{}");

/** Says whether a call would be allowed. */
export type Authorize = (call: Call) => Decision | Promise<Decision>;

/**
 * Each model is judged by a plain request for it: not streamed, no tools, no cap, from where the caller is now. A
 * model that is denied for some requests only is listed.
 * @throws GatewayError `model_not_found` when one model is asked for that is not there or may not be used
 */
export async function answerModels(head: RequestHead, catalogue: Catalogue, authorize: Authorize): Promise<object> {
  const allowed: Target[] = [];
  for (const target of catalogue.models()) {
    if (catalogue.aliases().has(target.model)) continue;
    const { targets } = await authorize(plainCall(head, target, target.model));
    allowed.push(...targets);
  }
  const list = modelsAnswer(allowed, head.wire, await allowedAliases(head, catalogue, authorize));
  if (head.path === LIST_PATH) return list;
  const wanted = head.path.slice(LIST_PATH.length + 1);
  const found = list.data.find(({ id }) => id === wanted);
  if (found !== undefined) return found;
  throw new GatewayError("model_not_found", `There is no model \`${wanted}\`, or your key may not use it`, {
    param: "model",
    retry: false,
  });
}

/** Aliases are judged by the name that callers write, and may lead to what is on no list. */
async function allowedAliases(
  head: RequestHead,
  catalogue: Catalogue,
  authorize: Authorize,
): Promise<ReadonlyMap<string, Target>> {
  const allowed = new Map<string, Target>();
  for (const [alias, theirs] of catalogue.aliases()) {
    for (const target of theirs) {
      const { targets } = await authorize(plainCall(head, target, alias));
      if (targets.length > 0 && !allowed.has(alias)) allowed.set(alias, target);
    }
  }
  return allowed;
}

function plainCall(head: RequestHead, target: Target, modelRequested: string): Call {
  return {
    ...head,
    wire: target.wire,
    endpoint: target.wire === "anthropic" ? "messages" : "chat",
    modelRequested,
    targets: [target],
    body: NO_BODY,
    json: {},
    stream: false,
    streamUsage: false,
    maxTokens: null,
    n: 1,
  };
}
