// Which model ids the configured providers serve, and what is known of each: the targets of requests.
import { LRUCache } from "lru-cache";
import { SetupError } from "../errors.ts";
import { suggest } from "../suggest.ts";
import type { Price, Target, Wire } from "../types.ts";
import { type CatalogueProvider, Shelf } from "./shelf.ts";

/** An alias, a model of one's own or a price override, as the config describes it. */
export interface CatalogueModel {
  /** What callers write. */
  readonly alias: string;
  readonly provider: string;
  /** What the provider calls it. */
  readonly model: string;
  /** Replaces the price list's, for every spelling of the model at this provider. */
  readonly price?: Price | null;
  readonly contextTokens?: number | null;
  readonly outputTokensMax?: number | null;
}

/** What `createCatalogue` reads. */
export interface CatalogueOptions {
  readonly providers: readonly CatalogueProvider[];
  readonly models: readonly CatalogueModel[];
  /** Wall clock, milliseconds: prices that have begun by then hold. */
  readonly nowMs: number;
}

/** Everything that can be asked for. Immutable: a reload makes a new one. */
export interface Catalogue {
  /**
   * The targets that could serve what a caller wrote in `model`, in the providers' order; empty when there is none.
   * An alias means its one target. Any other spelling keeps what the caller wrote as `upstreamModel`, while `model` is
   * the canonical id, so that a rule on `gpt-4` holds for `gpt-4-0613`. The same spelling gives the same objects.
   */
  resolve(modelRequested: string, wire: Wire): readonly Target[];
  /** Every target by its canonical id: one per provider, wire and model. */
  models(): readonly Target[];
  /** Alias → its targets, one per wire of its provider. */
  aliases(): ReadonlyMap<string, readonly Target[]>;
  /** The providers' names, in order. */
  providers(): readonly string[];
  /** The alias or canonical id nearest to one that is not known, or null. */
  suggest(modelRequested: string): string | null;
}

/** Callers make up spellings (`claude-haiku-4-5-x`): as many as are kept, with their targets. */
const SPELLINGS_KEPT = 1_000;
/** A longer name is no model's. */
const MODEL_LENGTH_MAX = 256;

/**
 * Builds the catalogue.
 * @throws SetupError when an alias names an unknown provider, or two entries give one model different prices or limits
 */
export function createCatalogue(options: CatalogueOptions): Catalogue {
  const shelves = options.providers.map((provider) => new Shelf(provider, options.nowMs));
  const models = options.models.map((entry) => ({ entry, shelf: shelfOf(shelves, entry) }));
  for (const { entry, shelf } of models) override(shelf, entry);
  const aliases = new Map(models.map(({ entry, shelf }) => [entry.alias, targetsOf(shelf, entry.model)]));
  const canonical = Object.freeze(shelves.flatMap(canonicalTargets));
  const names = new Set([...aliases.keys(), ...canonical.map((target) => target.model)]);
  const wires = new Set(shelves.flatMap((shelf) => shelf.wires));
  const indexes = new Map([...wires].map((wire) => [wire, new WireIndex(shelves, aliases, wire)]));
  return Object.freeze({
    resolve: (modelRequested: string, wire: Wire) => indexes.get(wire)?.resolve(modelRequested) ?? NONE,
    models: () => canonical,
    aliases: () => aliases,
    providers: () => shelves.map((shelf) => shelf.name),
    suggest: (modelRequested: string) => (isModelName(modelRequested) ? suggest(modelRequested, names) : null),
  });
}

function shelfOf(shelves: readonly Shelf[], { alias, provider }: CatalogueModel): Shelf {
  const found = shelves.find((shelf) => shelf.name === provider);
  if (found !== undefined) return found;
  const nearest = suggest(
    provider,
    shelves.map((shelf) => shelf.name),
  );
  const help = nearest === null ? "" : ` (did you mean \`${nearest}\`?)`;
  throw new SetupError(`models.${alias}.provider: no provider is called \`${provider}\`${help}`);
}

function override(shelf: Shelf, { alias, model, price, contextTokens, outputTokensMax }: CatalogueModel): void {
  const facts = {
    price: price ?? null,
    contextTokens: contextTokens ?? null,
    outputTokensMax: outputTokensMax ?? null,
  };
  shelf.override(model, facts, `models.${alias}`);
}

/** An alias may name a model that its provider does not otherwise serve. */
function targetsOf(shelf: Shelf, upstreamModel: string): readonly Target[] {
  return Object.freeze(shelf.wires.map((wire) => shelf.target(wire, upstreamModel, true)));
}

/** For each of a provider's models the target of its canonical spelling, or of the first one that is served. */
function canonicalTargets(shelf: Shelf): readonly Target[] {
  const spellings = new Map<string, string>();
  for (const spelling of shelf.spellings) {
    const { id } = shelf.describe(spelling);
    if (id === spelling || !spellings.has(id)) spellings.set(id, spelling);
  }
  return shelf.wires.flatMap((wire) => [...spellings.values()].map((spelling) => shelf.target(wire, spelling, true)));
}

const isModelName = (text: string): boolean => text.length <= MODEL_LENGTH_MAX;

const NONE: readonly Target[] = Object.freeze([]);

/** Spelling → targets on one wire: the known spellings in a map, made-up ones in a bounded cache. */
class WireIndex {
  readonly #known = new Map<string, readonly Target[]>();
  readonly #madeUp = new LRUCache<string, readonly Target[]>({ max: SPELLINGS_KEPT });
  readonly #shelves: readonly Shelf[];
  readonly #wire: Wire;

  constructor(shelves: readonly Shelf[], aliases: ReadonlyMap<string, readonly Target[]>, wire: Wire) {
    this.#shelves = shelves.filter((shelf) => shelf.wires.includes(wire));
    this.#wire = wire;
    for (const id of this.#shelves.flatMap((shelf) => shelf.spellings)) {
      if (!this.#known.has(id)) this.#known.set(id, this.#targets(id, true));
    }
    for (const [alias, targets] of aliases) {
      this.#known.set(alias, Object.freeze(targets.filter((target) => target.wire === wire)));
    }
  }

  resolve(modelRequested: string): readonly Target[] {
    const known = this.#known.get(modelRequested) ?? this.#madeUp.get(modelRequested);
    if (known !== undefined) return known;
    if (!isModelName(modelRequested)) return NONE;
    const targets = this.#targets(modelRequested, false);
    this.#madeUp.set(modelRequested, targets);
    return targets;
  }

  #targets(id: string, keep: boolean): readonly Target[] {
    const serving = this.#shelves.filter((shelf) => shelf.serves(id));
    if (serving.length === 0) return NONE;
    return Object.freeze(serving.map((shelf) => shelf.target(this.#wire, id, keep)));
  }
}
