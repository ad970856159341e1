// The new config's `providers`: one for each address and key, and one more where two prices would be at odds.
import { openPriceBook, type PriceBook } from "../../llm/price-book.ts";
import type { Deployment } from "./deployment.ts";
import type { Findings } from "./findings.ts";
import type { ProviderKind } from "./provider-table.ts";
import type { Variables } from "./variables.ts";

/** A provider as the new config writes it. */
export interface ImportedProvider {
  readonly name: string;
  readonly base_url: string;
  readonly wire: string | readonly string[];
  readonly api_key?: string;
  /** Left out: all that the price list has. */
  models?: readonly string[];
}

/** A provider and what is known of its models. */
export interface Shelved {
  readonly provider: ImportedProvider;
  /** null: the price list does not know it. */
  readonly book: PriceBook | null;
  /** By canonical id: a model that is asked for under two names has one price. */
  readonly facts: Map<string, string>;
}

/** Finds or makes the provider for a deployment. */
export class ProviderBook {
  readonly #shelves: Shelved[] = [];
  readonly #variables: Variables;
  readonly #findings: Findings;
  readonly #nowMs: number;

  constructor(variables: Variables, findings: Findings, nowMs: number) {
    this.#variables = variables;
    this.#findings = findings;
    this.#nowMs = nowMs;
  }

  /** null, and told, when its address cannot be carried over. */
  place(deployment: Deployment): Shelved | null {
    const baseUrl = this.#baseUrl(deployment);
    if (baseUrl === null) return null;
    const apiKey = this.#apiKey(deployment);
    const { kind } = deployment;
    const facts = factsOf(deployment);
    const same = this.#shelves.filter(
      ({ provider }) =>
        isProviderOf(provider.name, kind.name) && provider.base_url === baseUrl && provider.api_key === apiKey,
    );
    const fitting = same.find((shelf) => isFitting(shelf, deployment.model, facts));
    const shelf = fitting ?? this.#add(kind, baseUrl, apiKey, deployment.path);
    shelf.facts.set(idOf(shelf, deployment.model), facts);
    return shelf;
  }

  /** In the order in which they were needed. */
  providers(): readonly ImportedProvider[] {
    return this.#shelves.map(({ provider }) => provider);
  }

  #add(kind: ProviderKind, baseUrl: string, apiKey: string | undefined, path: readonly PropertyKey[]): Shelved {
    const count = this.#shelves.filter(({ provider }) => isProviderOf(provider.name, kind.name)).length;
    const name = count === 0 ? kind.name : `${kind.name}-${count + 1}`;
    const wires = wiresAt(kind, baseUrl);
    const wire = wires.length === 1 ? (wires[0] as string) : wires;
    const provider = {
      name,
      base_url: baseUrl,
      wire,
      ...(apiKey === undefined ? {} : { api_key: apiKey }),
      models: [],
    };
    const address = baseUrl.includes("${") ? {} : { baseUrl };
    const shelf = { provider, book: openPriceBook({ name, ...address }, this.#nowMs), facts: new Map() };
    this.#shelves.push(shelf);
    const note = NOTES[kind.name];
    if (note !== undefined) this.#findings.add("note", path, `\`${name}\`: ${note}`);
    return shelf;
  }

  /** As an SDK's base URL, or null. */
  #baseUrl({ kind, apiBase, path }: Deployment): string | null {
    const written = apiBase === null ? kind.baseUrl : this.#variables.plain(apiBase, `address of ${kind.name}`);
    const base = (written ?? "").trim().replace(/\/+$/, "");
    const at = [...path, "litellm_params", "api_base"];
    if (base.startsWith("${")) {
      if (kind.basePath !== "")
        this.#findings.add(
          "note",
          at,
          `\`${kind.basePath}\` is added: the variable must not end in it, nor in a slash`,
        );
      return base + kind.basePath;
    }
    const trimmed = kind.name === "azure" ? base.replace(/\/openai(?:[/?].*)?$/, "") : base;
    if (trimmed === "https://api.anthropic.com") return kind.baseUrl;
    const problem = addressProblem(trimmed);
    if (problem === null) return trimmed.endsWith(kind.basePath) ? trimmed : trimmed + kind.basePath;
    this.#findings.add("unmapped", at, problem, "write the provider into the new config by hand");
    return null;
  }

  #apiKey({ kind, apiKey, keyPath }: Deployment): string | undefined {
    const purpose = `api_key of ${kind.name}`;
    if (apiKey === null) return kind.keyVariable === null ? undefined : this.#variables.read(kind.keyVariable, purpose);
    const wanted = kind.keyVariable ?? `${kind.name.toUpperCase().replaceAll("-", "_")}_API_KEY`;
    const secret = this.#variables.secret(apiKey, wanted, purpose);
    if (secret === null) this.#findings.add("note", keyPath, "read as no key at all: none is sent");
    else if (secret.isNew)
      this.#findings.add("set", keyPath, `the key that stands here goes into ${secret.text}`, MOVE);
    return secret?.text;
  }
}

/** What to do with a secret that stands in the old file. */
export const MOVE = "set the variable where the gateway runs; secrets are not copied into the new config";

const NOTES: Readonly<Record<string, string>> = {
  anthropic:
    "callers of OpenAI's format reach Anthropic's own endpoint for it; LiteLLM translated, and could do more (prompt caching)",
  azure: "asked through its v1 API, with the deployment's name as `model`: the resource has to offer it",
  gemini: "asked through Google's endpoint for OpenAI's format",
};

/** What the gateway keeps once for each model of a provider, under whatever name it is asked for. */
function factsOf({ price, contextTokens, outputTokensMax }: Pick<Deployment, FactNames>): string {
  return JSON.stringify([price, contextTokens, outputTokensMax]);
}

type FactNames = "price" | "contextTokens" | "outputTokensMax";

const NO_FACTS = factsOf({ price: null, contextTokens: null, outputTokensMax: null });

/** A pattern may mean any model of the provider: then none may have facts of its own. */
function isFitting(shelf: Shelved, model: string, facts: string): boolean {
  if (model.includes("*")) return [...shelf.facts.values()].every((others) => others === NO_FACTS);
  return (shelf.facts.get(idOf(shelf, model)) ?? facts) === facts;
}

/** Spellings of one model share its facts. */
function idOf({ book }: Pick<Shelved, "book">, model: string): string {
  return book?.find(model)?.id ?? model;
}

/** Whether a provider of the new config is one of the kind: `openai`, `openai-2`. */
export function isProviderOf(name: string, kind: string): boolean {
  return name === kind || (name.startsWith(`${kind}-`) && /^\d+$/.test(name.slice(kind.length + 1)));
}

/** Elsewhere than at Anthropic a server for its format need not speak another. */
function wiresAt(kind: ProviderKind, baseUrl: string): readonly string[] {
  return kind.baseUrl === baseUrl ? kind.wires : kind.wires.slice(0, 1);
}

function addressProblem(base: string): string | null {
  if (!URL.canParse(base)) return "not a URL";
  const { protocol, username, password, search, hash } = new URL(base);
  if (protocol !== "http:" && protocol !== "https:") return "not an http or https URL";
  if (username !== "" || password !== "") return "an address with credentials in it";
  return search === "" && hash === "" ? null : "an address with a query";
}
