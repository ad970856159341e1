// LiteLLM's `model_list` as the new config's `providers` and `models`, and what it restricts as rules.
import { formatPerMillion } from "../../money.ts";
import type { Deployment, ImportedPrice } from "./deployment.ts";
import type { Findings } from "./findings.ts";
import { ProviderBook, type Shelved } from "./provider-book.ts";
import { reach } from "./provider-table.ts";
import { limitStatements, oneOfWords, type Statement, word } from "./statements.ts";
import type { Variables } from "./variables.ts";

/** A model as the new config writes it. */
export interface ImportedModel {
  readonly provider: string;
  readonly model: string;
  readonly price?: ImportedPrice;
  readonly context?: number;
  readonly max_output_tokens?: number;
}

/** What the model list comes to. */
export interface Composed {
  readonly providers: ProviderBook;
  /** By the name that callers write. */
  readonly models: ReadonlyMap<string, ImportedModel>;
  readonly statements: readonly Statement[];
}

/** What `compose` works with. */
export interface ComposeOptions {
  readonly deployments: readonly Deployment[];
  /** More names for a `model_name`: the router's `model_group_alias`. */
  readonly aliases: ReadonlyMap<string, readonly string[]>;
  readonly variables: Variables;
  readonly findings: Findings;
  /** Prices that have begun by then hold. */
  readonly nowMs: number;
}

/** The first entry of each name in the router's order is taken; names without `*` go before patterns. */
export function compose(options: ComposeOptions): Composed {
  const { variables, findings } = options;
  for (const { apiKey, kind } of options.deployments) {
    if (apiKey === null && kind.keyVariable !== null) variables.reserve(kind.keyVariable);
  }
  const providers = new ProviderBook(variables, findings, options.nowMs);
  const models = new Map<string, ImportedModel>();
  const statements: Statement[] = [];
  const plainFirst = [...byName(options.deployments)].sort(([a], [b]) => stars(a) - stars(b));
  for (const [name, deployments] of plainFirst) {
    const taken = takeFirst(deployments, providers, findings);
    if (taken === null) continue;
    const { deployment, shelf } = taken;
    const names = [name, ...(options.aliases.get(name) ?? [])];
    if (stars(name) > 0 || stars(deployment.model) > 0) expand(deployment, shelf, models, findings);
    else {
      const model = toModel(deployment, shelf, findings);
      for (const each of names) models.set(each, model);
    }
    statements.push(...restrictions(deployment, selector(names, shelf.provider.name), findings));
  }
  return { providers, models, statements };
}

function byName(deployments: readonly Deployment[]): ReadonlyMap<string, readonly Deployment[]> {
  return Map.groupBy(deployments, ({ name }) => name);
}

const stars = (text: string): number => text.split("*").length - 1;

interface Taken {
  readonly deployment: Deployment;
  readonly shelf: Shelved;
}

function takeFirst(all: readonly Deployment[], providers: ProviderBook, findings: Findings): Taken | null {
  const inOrder = all.toSorted((a, b) => (a.order === b.order ? 0 : a.order - b.order));
  for (const [index, deployment] of inOrder.entries()) {
    const shelf = providers.place(deployment);
    if (shelf === null) continue;
    for (const { path, name } of inOrder.slice(index + 1)) {
      const { line } = findings.place(deployment.path);
      const help = "requests are neither spread over deployments nor sent to a second one in this version";
      findings.add("unmapped", path, `another deployment of \`${name}\`: the one at line ${line} is asked`, help);
    }
    return { deployment, shelf };
  }
  return null;
}

function toModel(deployment: Deployment, shelf: Shelved, findings: Findings): ImportedModel {
  const { model, contextTokens, outputTokensMax } = deployment;
  const price = deployment.price ?? priceOf(deployment, shelf, findings);
  return {
    provider: shelf.provider.name,
    model: model.replaceAll("${", "$${"),
    ...(price === null ? {} : { price }),
    ...(contextTokens === null ? {} : { context: contextTokens }),
    ...(outputTokensMax === null ? {} : { max_output_tokens: outputTokensMax }),
  };
}

/** A price to write where the entry has none and the price list does not know the model. */
function priceOf({ name, path, model, kind, baseModel }: Deployment, shelf: Shelved, findings: Findings) {
  if (shelf.book?.find(model)?.price) return null;
  const base = baseModel === null ? null : basePrice(baseModel, shelf);
  if (base !== null) {
    findings.add(
      "note",
      [...path, "model_info", "base_model"],
      `priced as \`${baseModel}\` is today, ${base.input} in`,
    );
    return base;
  }
  const at = [...path, "litellm_params", "model"];
  if (kind.own) {
    findings.add("note", at, `\`${name}\` is written as free, as LiteLLM counts it`, "write what it costs you");
    return FREE;
  }
  const help = `write models.${name}.price; LiteLLM counted what it knew no price of as free`;
  findings.add(
    "unmapped",
    at,
    `no price of \`${model}\` is known: its requests are refused (\`model_unpriced\`)`,
    help,
  );
  return null;
}

const FREE: ImportedPrice = Object.freeze({ input: "$0/M", output: "$0/M" });

/** What the price list has for a model, at its dearest tier: nothing is counted too low. */
function basePrice(model: string, { book }: Shelved): ImportedPrice | null {
  const reached = reach(model, null);
  const price = book?.find("why" in reached ? model : reached.model)?.price;
  if (!price) return null;
  const { inputPicoUsd, outputPicoUsd, cachedInputPicoUsd, cacheWritePicoUsd } = price.tiers[0] ?? price;
  const text = (picoUsd: number): string => `$${formatPerMillion(picoUsd)}/M`;
  return {
    ...{ input: text(inputPicoUsd), output: text(outputPicoUsd) },
    ...{ cached_input: text(cachedInputPicoUsd), cache_write: text(cacheWritePicoUsd) },
  };
}

/** What is no chat model, or a pattern of the price list and no model's name. */
const NOT_CHAT = /embedding|moderation|whisper|tts|transcribe|image|dall-e|realtime|audio|^ft:|\.ft-|:/;

/** `openai/*`: a name for each model that the price list has; where names stay and all fit: the provider is open. */
function expand(deployment: Deployment, shelf: Shelved, models: Map<string, ImportedModel>, findings: Findings): void {
  const { name, model, path } = deployment;
  const at = [...path, "model_name"];
  const [head = "", tail = ""] = model.split("*");
  if (stars(name) > 1 || stars(model) !== 1 || shelf.book === null) {
    findings.add("unmapped", at, `\`${name}\` stands for models that are not listed anywhere`, "name them one by one");
    return;
  }
  const fits = (id: string): boolean => id.startsWith(head) && id.endsWith(tail) && id.length >= model.length - 1;
  if (name === model && shelf.book.models.every(({ id }) => fits(id))) {
    delete shelf.provider.models;
    findings.add("note", at, `all models of \`${shelf.provider.name}\` in the release's price list are offered`);
    return;
  }
  const priced = shelf.book.models.filter(({ price }) => price !== null);
  const ids = priced.flatMap(({ spellings }) => spellings).filter((id) => !NOT_CHAT.test(id) && fits(id));
  for (const id of ids) {
    const alias = name.replace("*", () => id.slice(head.length, id.length - tail.length));
    if (alias === id) shelf.provider.models = [...(shelf.provider.models ?? []), id];
    else if (!models.has(alias)) models.set(alias, { provider: shelf.provider.name, model: id });
  }
  const help = "one that comes later needs a line of its own in the new config";
  findings.add("note", at, `stands for ${ids.length} names of the release's price list`, help);
}

/** What tells an entry's requests from others. */
function selector(names: readonly string[], provider: string): string {
  const [name = ""] = names;
  if (name === "*") return `provider = ${word(provider)}`;
  if (stars(name) > 0 && /^[\w*.\-/:@+]+$/.test(name)) return `model.requested = ${name}`;
  return `model.requested ${oneOfWords(names)}`;
}

function restrictions(deployment: Deployment, when: string, findings: Findings): Statement[] {
  const { path, limits, teamId, accessGroups, name } = deployment;
  const all = limitStatements(limits, when, path, findings);
  const info = [...path, "model_info"];
  if (teamId !== null) {
    all.push({ text: `deny when ${when} unless team ${word(teamId)}`, path: [...info, "team_id"], about: "team_id" });
    findings.add("note", [...info, "team_id"], `\`${name}\` is denied to all but the team with this alias or id`);
  }
  if (accessGroups.length > 0) {
    const help = `write rules for those who may use it, such as: deny when ${when} unless team NAME`;
    findings.add("unmapped", [...info, "access_groups"], "who may use the group stands in LiteLLM's database", help);
  }
  return all;
}
