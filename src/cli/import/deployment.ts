// One entry of LiteLLM's `model_list`: which provider it reaches, as which model, at which price.
import { ROUTES } from "../../llm/wire.ts";
import type { Endpoint } from "../../types.ts";
import type { Findings } from "./findings.ts";
import { type PerMillion, perMillion } from "./per-token.ts";
import { type ProviderKind, reach } from "./provider-table.ts";
import { Section } from "./section.ts";

/** Prices as the config writes them. */
export interface ImportedPrice {
  readonly input: string;
  readonly output: string;
  readonly cached_input?: string;
  readonly cache_write?: string;
}

/** An entry that can be carried over. */
export interface Deployment {
  /** Where it stands: `model_list`, index. */
  readonly path: readonly PropertyKey[];
  /** `model_name`: what callers write; may hold one `*`. */
  readonly name: string;
  readonly kind: ProviderKind;
  /** What the provider calls it; may hold one `*`. */
  readonly model: string;
  /** As written: a literal, `os.environ/…`, or null. */
  readonly apiBase: string | null;
  readonly apiKey: string | null;
  /** Where the key stands. */
  readonly keyPath: readonly PropertyKey[];
  readonly price: ImportedPrice | null;
  /** The model whose price LiteLLM takes when none is written. */
  readonly baseModel: string | null;
  readonly contextTokens: number | null;
  readonly outputTokensMax: number | null;
  /** Smaller goes first. */
  readonly order: number;
  readonly teamId: string | null;
  readonly accessGroups: readonly string[];
  readonly limits: DeploymentLimits;
}

/** What the router holds an entry to; null where nothing is written. */
export interface DeploymentLimits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly concurrent: number | null;
  readonly budget: { readonly usd: number; readonly duration: string | null } | null;
}

/** Named sets of `litellm_params`: LiteLLM's `credential_list`. */
export type Credentials = ReadonlyMap<string, { readonly values: unknown; readonly path: readonly PropertyKey[] }>;

/** `model_info.mode` → what callers ask of it; null where this gateway has no such path at all. */
const MODES: Readonly<Record<string, Endpoint | null>> = {
  chat: "chat",
  completion: "completions",
  responses: "responses",
  embedding: "embeddings",
  image_generation: "images",
  audio_speech: "audio",
  audio_transcription: "audio",
  moderation: "moderations",
};

/** What describes a model and changes nothing. */
const DESCRIPTIVE = /^(?:id|db_model|description|metadata|created_\w+|updated_\w+|supports_\w+|litellm_provider|tier)$/;

const HINTS: Readonly<Record<string, string>> = {
  organization: "a key of that organisation says it too",
  weight: "requests are not spread over several deployments",
  tags: "write a rule on `tag`: rules/README.md",
  timeout: "limits.upstream_timeout holds for all providers",
  stream_timeout: "limits.idle_timeout holds for all providers",
  max_retries: "the gateway does not try again; the SDKs do",
  num_retries: "the gateway does not try again; the SDKs do",
};

/**
 * Reads an entry; what cannot be carried over is told.
 * @returns null when the whole entry cannot
 */
export function readDeployment(entry: Section, credentials: Credentials, findings: Findings): Deployment | null {
  const name = entry.text("model_name");
  const params = entry.section("litellm_params");
  const info = entry.section("model_info");
  const reached = reachEntry(params, info, findings);
  if (name === null) findings.add("unmapped", entry.path, "`model_name` is missing");
  if (name === null || reached === null) return null;
  const shared = readCredential(params, credentials, findings);
  const access = readAccess(params, shared);
  if (reached.kind.baseUrl === null && access.apiBase === null) {
    findings.add("unmapped", params.at("model"), `\`${reached.kind.name}\` has no address without api_base`);
    return null;
  }
  if (reached.kind.name === "azure") readVersion([params, shared], findings);
  const deployment = {
    ...{ path: entry.path, name, ...reached, ...access },
    price: readPrice(params, info, findings),
    baseModel: info.text("base_model"),
    ...readSizes(info),
    order: params.number("order") ?? Number.POSITIVE_INFINITY,
    teamId: info.text("team_id"),
    accessGroups: info.texts("access_groups") ?? [],
    limits: readLimits(params, info),
  };
  tellRest([entry, params, info, shared], findings);
  return deployment;
}

/** The provider and the model there; null, and told, when this version cannot reach or serve it. */
function reachEntry(params: Section, info: Section, findings: Findings): Pick<Deployment, "kind" | "model"> | null {
  const model = params.text("model");
  if (model === null) {
    findings.add("unmapped", params.path, "`model` is missing");
    return null;
  }
  const reached = reach(model, params.text("custom_llm_provider"));
  const problem = "why" in reached ? reached : modeProblem(info.text("mode") ?? "chat");
  if (problem === null && !("why" in reached)) return reached;
  findings.add("unmapped", params.at("model"), `\`${model}\`: ${problem?.why}`, problem?.help ?? null);
  return null;
}

function modeProblem(mode: string): { readonly why: string; readonly help: string } | null {
  const endpoint = Object.hasOwn(MODES, mode) ? MODES[mode] : null;
  if ([...ROUTES.values()].some((route) => route.endpoint === endpoint)) return null;
  return { why: `this version serves no \`${mode}\` models`, help: "let its callers ask the provider itself" };
}

type Access = Pick<Deployment, "apiBase" | "apiKey" | "keyPath">;

/** The credential that an entry names; an empty one where it names none. */
function readCredential(params: Section, credentials: Credentials, findings: Findings): Section {
  const name = params.text("litellm_credential_name");
  const found = name === null ? undefined : credentials.get(name);
  if (name !== null && found === undefined) {
    findings.add("unmapped", params.at("litellm_credential_name"), `no credential is called \`${name}\` here`);
  }
  return new Section(found?.values, found?.path ?? []);
}

/** The address and the key, the entry's own first. */
function readAccess(params: Section, shared: Section): Access {
  const base = params.text("api_base") ?? params.text("base_url");
  const sharedBase = shared.text("api_base");
  const sharedKey = shared.text("api_key");
  const key = params.text("api_key");
  const keyPath = key === null && sharedKey !== null ? shared.at("api_key") : params.at("api_key");
  return { apiBase: base ?? sharedBase, apiKey: key ?? sharedKey, keyPath };
}

function readVersion(sections: readonly Section[], findings: Findings): void {
  for (const section of sections) {
    if (section.text("api_version") === null) continue;
    findings.add("note", section.at("api_version"), "not needed: the provider's v1 API takes none");
  }
}

const PRICES = [
  ["input", "input_cost_per_token"],
  ["output", "output_cost_per_token"],
  ["cached_input", "cache_read_input_token_cost"],
  ["cache_write", "cache_creation_input_token_cost"],
] as const;

/** The prices of `litellm_params`, else of `model_info`, which LiteLLM reads alike. */
function readPrice(params: Section, info: Section, findings: Findings): ImportedPrice | null {
  const found: Partial<Record<keyof ImportedPrice, string>> = {};
  for (const [name, key] of PRICES) {
    const section = params.has(key) ? params : info;
    const written = section.text(key);
    const price = written === null ? null : perMillion(written);
    if (written !== null) tellPrice(section.at(key), price, findings);
    if (price !== null) found[name] = price.text;
  }
  const { input, output, ...rest } = found;
  if (input !== undefined && output !== undefined) return { input, output, ...rest };
  if (Object.keys(found).length > 0) {
    const help = "write models.NAME.price with both";
    findings.add("unmapped", params.path, "only one of the input and output prices is given", help);
  }
  return null;
}

function tellPrice(path: readonly PropertyKey[], price: PerMillion | null, findings: Findings): void {
  if (price === null) findings.add("unmapped", path, "not a price per token", "write models.NAME.price");
  else if (!price.exact) findings.add("note", path, `rounded to ${price.text}: six decimals are kept`);
}

function readSizes(info: Section): Pick<Deployment, "contextTokens" | "outputTokensMax"> {
  const output = info.count("max_output_tokens");
  const old = info.count("max_tokens");
  return { contextTokens: info.count("max_input_tokens"), outputTokensMax: output ?? old };
}

function readLimits(params: Section, info: Section): DeploymentLimits {
  const usd = params.number("max_budget");
  return {
    requestsPerMinute: params.count("rpm") ?? info.count("rpm"),
    tokensPerMinute: params.count("tpm") ?? info.count("tpm"),
    concurrent: params.count("max_parallel_requests"),
    budget: usd === null ? null : { usd, duration: params.text("budget_duration") },
  };
}

function tellRest(sections: readonly Section[], findings: Findings): void {
  for (const section of sections) {
    const isInfo = section.path.at(-1) === "model_info";
    const [descriptive, others] = partition(section.left(), (key) => isInfo && DESCRIPTIVE.test(key));
    const names = descriptive.map((key) => `\`${key}\``).join(", ");
    if (names !== "") findings.add("note", section.path, `only described the model: ${names}`);
    for (const key of others) {
      if (section.flag(key) === false) findings.add("note", section.at(key), "not needed: it is off");
      else findings.add("unmapped", section.at(key), "has no counterpart in this version", HINTS[key] ?? null);
    }
  }
}

function partition(all: readonly string[], isFirst: (one: string) => boolean): [string[], string[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
