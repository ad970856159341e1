// What the checker asks about the world around the rules.
import type { Target } from "../types.ts";
import { ATTRIBUTES } from "./attribute-table.ts";
import type { Attribute } from "./attributes.ts";

/** Known names, for warnings and did-you-mean. A list that is left out or empty is not checked against. */
export interface RuleCatalogue {
  /** Every (provider, model) that the gateway can serve. */
  models(): Iterable<Target>;
  /** Provider names beyond those of `models()`. */
  providers?(): Iterable<string>;
  /** Aliases and ids. */
  teams?(): Iterable<string>;
  /** Aliases and ids. */
  keys?(): Iterable<string>;
  /** Models that exist, served here or not: a rule that names one of these is not misspelt. */
  listedModels?(): Iterable<string>;
  /** Whether a test that fails keeps the rules from coming into force; so it does when left out. */
  readonly failingTests?: "refuse" | "warn";
  /** Attributes that others read, beside those of the table and instead of those of the same name. */
  attributes?(): Iterable<Attribute>;
}

/** The catalogue's names as sets, made once per load. */
export interface Vocabulary {
  /** Targets by model, which is what most checks ask for. */
  readonly targets: ReadonlyMap<string, readonly Target[]>;
  readonly models: ReadonlySet<string>;
  readonly providers: ReadonlySet<string>;
  readonly teams: ReadonlySet<string>;
  readonly keys: ReadonlySet<string>;
  /** Read when it is first asked for: it is long, and most sets name nothing unknown. */
  listedModels(): ReadonlySet<string>;
  readonly failingTests: "refuse" | "warn";
  /** All attributes by name. */
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** Reads a catalogue's names. */
export function vocabularyOf(catalogue: RuleCatalogue): Vocabulary {
  const targets = new Map<string, Target[]>();
  const providers = new Set<string>(catalogue.providers?.() ?? []);
  for (const target of catalogue.models()) {
    const ofModel = targets.get(target.model);
    if (ofModel === undefined) targets.set(target.model, [target]);
    else ofModel.push(target);
    providers.add(target.provider);
  }
  const models = new Set(targets.keys());
  const teams = new Set(catalogue.teams?.() ?? []);
  const { failingTests = "refuse" } = catalogue;
  const keys = new Set(catalogue.keys?.() ?? []);
  const attributes = new Map(ATTRIBUTES);
  for (const attribute of catalogue.attributes?.() ?? []) attributes.set(attribute.name, attribute);
  let listed: ReadonlySet<string> | null = null;
  const listedModels = (): ReadonlySet<string> => {
    listed ??= new Set(catalogue.listedModels?.() ?? []);
    return listed;
  };
  return { targets, models, providers, teams, keys, listedModels, failingTests, attributes };
}
