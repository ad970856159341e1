// One provider's part of the catalogue: which spellings it serves, and a frozen target for each.
import { SetupError } from "../errors.ts";
import type { Price, Target, Wire } from "../types.ts";
import { familyOf, outputTokensMaxOf } from "./model-facts.ts";
import { type BookModel, openPriceBook, type PriceBook } from "./price-book.ts";

/** A provider as the config describes it. */
export interface CatalogueProvider {
  readonly name: string;
  readonly wires: readonly Wire[];
  /** The ids to serve, exactly; left out or null: those of the price list. */
  readonly models?: readonly string[] | null | undefined;
  /** `demo:` is the built-in demo provider: well-known models of OpenAI and Anthropic at their real prices. */
  readonly baseUrl?: string | undefined;
}

/** What the config says of a model in the price list's stead. */
export interface Override {
  readonly price: Price | null;
  readonly contextTokens: number | null;
  readonly outputTokensMax: number | null;
}

/** What the demo provider serves: canonical ids. */
const DEMO_MODELS: ReadonlySet<string> = new Set([
  ...["gpt-4o-mini", "gpt-4o", "gpt-4", "gpt-4-turbo", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-3.5-turbo"],
  ...["gpt-5", "gpt-5-mini", "gpt-5-nano", "o1", "o3", "o3-mini", "o4-mini"],
  ...["claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-1", "claude-opus-4-5", "claude-3-5-haiku-latest"],
]);

type Model = Omit<BookModel, "spellings">;

/** A provider's models. */
export class Shelf {
  readonly name: string;
  readonly wires: readonly Wire[];
  /** Every spelling known beforehand, in the price list's or the config's order; patterns match more. */
  readonly spellings: readonly string[];
  readonly #books: readonly PriceBook[];
  readonly #listed: ReadonlySet<string> | null;
  readonly #served: ReadonlySet<string> | null;
  readonly #overrides = new Map<string, Override>();
  readonly #targets = new Map<Wire, Map<string, Target>>();

  constructor(provider: CatalogueProvider, nowMs: number) {
    const demo = provider.baseUrl === "demo:";
    this.name = provider.name;
    this.wires = provider.wires;
    this.#books = (demo ? [{ name: "openai" }, { name: "anthropic" }] : [provider]).flatMap(
      (each) => openPriceBook(each, nowMs) ?? [],
    );
    this.#listed = provider.models ? new Set(provider.models) : null;
    this.#served = demo ? DEMO_MODELS : null;
    this.spellings = [...(this.#listed ?? this.#bookSpellings())];
    for (const wire of this.wires) this.#targets.set(wire, new Map());
  }

  #bookSpellings(): Set<string> {
    const all = this.#books.flatMap((book) => book.models).flatMap((model) => model.spellings);
    return new Set(all.filter((id) => this.serves(id)));
  }

  /** Whether a caller may write this. A list in the config is exact; the price list also matches dated spellings. */
  serves(spelling: string): boolean {
    if (this.#listed !== null) return this.#listed.has(spelling);
    const found = this.#look(spelling);
    return found !== null && (this.#served === null || this.#served.has(found.id));
  }

  #look(spelling: string): BookModel | null {
    for (const book of this.#books) {
      const found = book.find(spelling);
      if (found !== null) return found;
    }
    return null;
  }

  /** What is known of a spelling; a model that the price list lacks is its own canonical id, without a price. */
  describe(spelling: string): Model {
    return this.#look(spelling) ?? { id: spelling, price: null, contextTokens: null };
  }

  /**
   * Puts the config's facts before the price list's, for every spelling of the model.
   * @throws SetupError when the model has other ones already
   */
  override(spelling: string, facts: Override, path: string): void {
    if (facts.price === null && facts.contextTokens === null && facts.outputTokensMax === null) return;
    const { id } = this.describe(spelling);
    const before = this.#overrides.get(id);
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(facts)) {
      throw new SetupError(`${path}: another entry gives \`${id}\` of \`${this.name}\` a different price or limit`);
    }
    this.#overrides.set(id, facts);
  }

  /** The one target for a spelling. `keep` only spellings of our own: callers can make up any number. */
  target(wire: Wire, spelling: string, keep: boolean): Target {
    const kept = this.#targets.get(wire)?.get(spelling);
    if (kept !== undefined) return kept;
    const target = this.#create(wire, spelling);
    if (keep) this.#targets.get(wire)?.set(spelling, target);
    return target;
  }

  #create(wire: Wire, upstreamModel: string): Target {
    const { id, price, contextTokens } = this.describe(upstreamModel);
    const facts = this.#overrides.get(id);
    const context = facts?.contextTokens ?? contextTokens;
    return Object.freeze({
      provider: this.name,
      wire,
      model: id,
      upstreamModel,
      family: familyOf(id),
      contextTokens: context,
      outputTokensMax: facts?.outputTokensMax ?? outputTokensMaxOf(id, context),
      price: facts?.price ?? price,
    });
  }
}
