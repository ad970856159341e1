// GET /v1/models and /v1/models/{id}: what a principal may use, in the caller's dialect.
import { GatewayError } from "./errors.ts";
import type { Catalogue } from "./llm/catalogue.ts";
import { modelsAnswer } from "./llm/models-answer.ts";
import type { Call, Decision, Principal, RequestHead, Target, Wire } from "./types.ts";

const LIST_PATH = "/v1/models";
const NO_BODY = Buffer.from("{}");

/** Says whether a call would be allowed. */
export type Authorize = (call: Call) => Decision | Promise<Decision>;

/** Who asks, and what for. */
export interface ModelAsk {
  readonly head: RequestHead;
  readonly catalogue: Catalogue;
  readonly authorize: Authorize;
  /** The principal's own aliases: a name among them means what it stands for. */
  readonly own?: Principal["modelAliases"];
}

/**
 * The list, or the one model that is asked for.
 * @throws GatewayError `model_not_found` when one model is asked for that is not there or may not be used
 */
export async function answerModels(ask: ModelAsk): Promise<object> {
  const { head } = ask;
  const list = modelsAnswer(await allowedModels(ask), head.wire);
  if (head.path === LIST_PATH) return list;
  const wanted = head.path.slice(LIST_PATH.length + 1);
  const found = list.data.find(({ id }) => id === wanted);
  if (found !== undefined) return found;
  throw new GatewayError("model_not_found", `There is no model \`${wanted}\`, or your key may not use it`, {
    param: "model",
    retry: false,
  });
}

/**
 * The names that may be used, aliases first, and where they lead. Each model is judged by a plain request for it: not streamed, no tools, no cap, from where the caller is now. A
 * model that is denied for some requests only is listed.
 */
export async function allowedModels({
  head,
  catalogue,
  authorize,
  own = {},
}: ModelAsk): Promise<ReadonlyMap<string, Target>> {
  const allowed: Target[] = [];
  for (const target of catalogue.models()) {
    if (catalogue.aliases().has(target.model)) continue;
    const { targets } = await authorize(plainCall(head, target, target.model));
    if (!Object.hasOwn(own, target.model)) allowed.push(...targets);
  }
  const aliases = [...catalogue.aliases()].filter(([alias]) => !Object.hasOwn(own, alias));
  const names = [...ownAliases(own, catalogue), ...aliases.map(([alias, targets]) => [alias, alias, targets] as const)];
  const models = new Map(await allowedNames(head, names, authorize));
  for (const target of allowed) if (!models.has(target.model)) models.set(target.model, target);
  return models;
}

/** A name, what rules see in its stead, and where it leads. */
type Name = readonly [name: string, modelRequested: string, targets: readonly Target[]];

function ownAliases(own: NonNullable<Principal["modelAliases"]>, catalogue: Catalogue): readonly Name[] {
  return Object.entries(own).map(([name, model]) => [
    name,
    model,
    catalogue.aliases().get(model) ?? WIRES.flatMap((wire) => catalogue.resolve(model, wire)),
  ]);
}

const WIRES: readonly Wire[] = ["openai", "anthropic", "gemini"];

/** Aliases are judged by the name that rules see, and may lead to what is on no list. */
async function allowedNames(
  head: RequestHead,
  names: readonly Name[],
  authorize: Authorize,
): Promise<ReadonlyMap<string, Target>> {
  const allowed = new Map<string, Target>();
  for (const [name, modelRequested, theirs] of names) {
    for (const target of theirs) {
      const { targets } = await authorize(plainCall(head, target, modelRequested));
      if (targets.length > 0 && !allowed.has(name)) allowed.set(name, target);
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
