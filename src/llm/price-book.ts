// A provider's price list: model ids and rates from the bundled data of @pydantic/genai-prices, as whole pico-USD.
import { findProvider, type MatchLogic, type ModelInfo, type ModelPrice, type Provider } from "@pydantic/genai-prices";
import { picoUsdPerToken } from "../money.ts";
import type { Price, PriceTier } from "../types.ts";

/** One model of a price list. */
export interface BookModel {
  /** The list's id for the model and all its spellings: the canonical id. */
  readonly id: string;
  /** Spellings that the list names in full, the id first; dated ones may match by a pattern instead. */
  readonly spellings: readonly string[];
  /** null when it is not sold by the token alone (by the minute, the page or the request). */
  readonly price: Price | null;
  readonly contextTokens: number | null;
}

/** A provider's models and prices at one moment. */
export interface PriceBook {
  readonly models: readonly BookModel[];
  /** The model that a caller's spelling means, or null; case does not matter. */
  find(spelling: string): BookModel | null;
}

type Rates = Omit<Price, "tiers">;
type Rate = ModelPrice[string];

/** Models whose tokens are mostly not text: every token is priced at the dearest kind that the model has. */
const NOT_TEXT = /audio|realtime|image|transcribe|tts|voice|sonic|live/;

/**
 * Opens the price list of a provider, found by its base URL or else by its name (`openai`, `openai-eu`).
 *
 * Only the data that the package carries is read; it is never updated over the network.
 * @returns null when the package knows no such provider.
 */
export function openPriceBook(
  provider: { name: string; baseUrl?: string | undefined },
  nowMs: number,
): PriceBook | null {
  const found = providerByUrl(provider.baseUrl) ?? providerByName(provider.name);
  if (found === undefined) return null;
  const fallbacks = (found.fallback_model_providers ?? []).map((id) => findProvider({ providerId: id }));
  return createBook(
    [found, ...fallbacks].flatMap((each) => each?.models ?? []),
    nowMs,
  );
}

function providerByUrl(baseUrl: string | undefined): Provider | undefined {
  return baseUrl === undefined ? undefined : findProvider({ providerApiUrl: baseUrl });
}

/** The package's own match takes any name that contains `openai`; a gateway in front of vLLM may be called so too. */
function providerByName(name: string): Provider | undefined {
  const id = name.toLowerCase();
  for (const candidate of new Set([id, id.split(/[-_]/)[0] ?? id])) {
    const found = findProvider({ providerId: candidate });
    if (found?.id === candidate) return found;
  }
  return undefined;
}

function createBook(infos: readonly ModelInfo[], nowMs: number): PriceBook {
  const models = infos.map((info) => toBookModel(info, nowMs));
  const literals = new Map<string, number>();
  const patterns: { readonly index: number; readonly matches: (id: string) => boolean }[] = [];
  for (const [index, info] of infos.entries()) {
    for (const literal of literalsOf(info.match)) if (!literals.has(literal)) literals.set(literal, index);
    const logic = patternsOf(info.match);
    if (logic !== null) patterns.push({ index, matches: compileMatch(logic) });
  }
  const find = (spelling: string): BookModel | null => {
    const id = spelling.toLowerCase();
    const literal = literals.get(id) ?? Number.POSITIVE_INFINITY;
    const pattern = patterns.find((each) => each.index >= literal || each.matches(id));
    const index = pattern === undefined ? literal : Math.min(literal, pattern.index);
    return models[index] ?? null;
  };
  return Object.freeze({ models, find });
}

function toBookModel(info: ModelInfo, nowMs: number): BookModel {
  const prices = pricesAt(info, nowMs).map((price) => toPrice(price, NOT_TEXT.test(info.id)));
  return Object.freeze({
    id: info.id,
    spellings: [...new Set([info.id, ...literalsOf(info.match)])],
    price: prices.includes(null) ? null : dearestOf(prices.filter((price) => price !== null)),
    contextTokens: info.context_window ?? null,
  });
}

/** The prices that may hold at some time of the day of `nowMs`: the last that has begun, and those bound to hours. */
function pricesAt(info: ModelInfo, nowMs: number): readonly ModelPrice[] {
  if (!Array.isArray(info.prices)) return [info.prices];
  const found: ModelPrice[] = [];
  for (const { constraint, prices } of info.prices.toReversed()) {
    if (constraint?.type === "start_date" && Date.parse(constraint.start_date) > nowMs) continue;
    found.push(prices);
    if (constraint?.type !== "time_of_date") break;
  }
  return found;
}

/** A price that is nowhere below any of `prices`. */
function dearestOf(prices: readonly Price[]): Price {
  const starts = prices.flatMap((price) => price.tiers.map((tier) => tier.fromInputTokens));
  return tiered(starts, (inputTokens) => mergeRates(prices.map((price) => ratesFor(price, inputTokens))));
}

/** The rates that a request with so many input tokens pays. */
export function ratesFor(price: Price, inputTokens: number): Rates {
  for (const tier of price.tiers) if (inputTokens >= tier.fromInputTokens) return tier;
  return price;
}

function mergeRates(all: readonly Rates[]): Rates {
  const most = (name: keyof Rates): number => Math.max(...all.map((rates) => rates[name]));
  return {
    inputPicoUsd: most("inputPicoUsd"),
    outputPicoUsd: most("outputPicoUsd"),
    cachedInputPicoUsd: most("cachedInputPicoUsd"),
    cacheWritePicoUsd: most("cacheWritePicoUsd"),
  };
}

function toPrice(price: ModelPrice, notText: boolean): Price | null {
  if (!soldByToken(price)) return null;
  const starts = Object.values(price).flatMap((rate) => (typeof rate === "object" ? rate.tiers : []));
  return tiered(
    starts.map((tier) => tier.start + 1),
    (inputTokens) => ratesAt(price, inputTokens, notText),
  );
}

/** `{}` is free; a fee per request or only per minute or page cannot be held to a token price. */
function soldByToken(price: ModelPrice): boolean {
  const names = Object.keys(price);
  if (names.length === 0) return true;
  return !names.includes("requests_kcount") && names.some((name) => name === "input_mtok" || name === "output_mtok");
}

function tiered(starts: readonly number[], at: (inputTokens: number) => Rates): Price {
  const tiers = [...new Set(starts)]
    .sort((a, b) => b - a)
    .map((fromInputTokens): PriceTier => Object.freeze({ fromInputTokens, ...at(fromInputTokens) }));
  return Object.freeze({ ...at(0), tiers: Object.freeze(tiers) });
}

/** A kind of token without a rate of its own is priced as plain input, as genai-prices does. */
function ratesAt(price: ModelPrice, inputTokens: number, notText: boolean): Rates {
  const dearest = (names: readonly string[]): number | null => {
    const rates = names.flatMap((name) => picoUsdAt(price[name], inputTokens) ?? []);
    return rates.length === 0 ? null : Math.max(...rates);
  };
  const input = dearest(notText ? kinds("input") : ["input_mtok"]) ?? 0;
  const cached = notText ? ["cache_read_mtok", "cache_audio_read_mtok", "cache_image_read_mtok"] : ["cache_read_mtok"];
  return {
    inputPicoUsd: input,
    outputPicoUsd: dearest(["output_reasoning_mtok", ...(notText ? kinds("output") : ["output_mtok"])]) ?? 0,
    cachedInputPicoUsd: dearest(cached) ?? input,
    cacheWritePicoUsd: dearest(["cache_write_mtok", "cache_write_1h_mtok"]) ?? input,
  };
}

const kinds = (side: "input" | "output"): readonly string[] =>
  ["", "_audio", "_image", "_video"].map((kind) => `${side}${kind}_mtok`);

/** genai-prices' tiers begin above their `start`: `start: 200000` is from 200,001 input tokens on. */
function picoUsdAt(rate: Rate, inputTokens: number): number | null {
  if (rate === undefined) return null;
  if (typeof rate === "number") return toPicoUsd(rate);
  const tier = rate.tiers.filter((each) => inputTokens > each.start).sort((a, b) => b.start - a.start)[0];
  return toPicoUsd(tier?.price ?? rate.base);
}

/** USD per million tokens → pico-USD per token: exact up to six decimals, else (binary dust, thirds) rounded up. */
function toPicoUsd(usdPerMillion: number): number {
  return picoUsdPerToken(String(usdPerMillion)) ?? Math.ceil(Number((usdPerMillion * 1e6).toPrecision(12)));
}

function literalsOf(logic: MatchLogic): readonly string[] {
  if ("equals" in logic) return [logic.equals.toLowerCase()];
  return "or" in logic ? logic.or.flatMap(literalsOf) : [];
}

/** What is left of a match when its literals are taken out, or null. */
function patternsOf(logic: MatchLogic): MatchLogic | null {
  if ("equals" in logic) return null;
  if (!("or" in logic)) return logic;
  const rest = logic.or.flatMap((part) => patternsOf(part) ?? []);
  return rest.length === 0 ? null : { or: rest };
}

/** genai-prices' match logic as a predicate on a lower-case id. */
function compileMatch(logic: MatchLogic): (id: string) => boolean {
  if ("or" in logic) return anyOf(logic.or.map(compileMatch));
  if ("and" in logic) return allOf(logic.and.map(compileMatch));
  if ("regex" in logic)
    return (
      (pattern) => (id: string) =>
        pattern.test(id)
    )(new RegExp(logic.regex));
  const [kind, value] = Object.entries(logic)[0] as [string, string];
  const word = value.toLowerCase();
  if (kind === "starts_with") return (id) => id.startsWith(word);
  if (kind === "ends_with") return (id) => id.endsWith(word);
  return kind === "contains" ? (id) => id.includes(word) : (id) => id === word;
}

const anyOf = (parts: readonly ((id: string) => boolean)[]) => (id: string) => parts.some((matches) => matches(id));
const allOf = (parts: readonly ((id: string) => boolean)[]) => (id: string) => parts.every((matches) => matches(id));
