// What the checker asks about the world around the rules.
import type { Target } from "../types.ts";
import { ATTRIBUTES } from "./attribute-table.ts";
import type { Attribute } from "./attributes.ts";

/** Names that are looked up one at a time, for there may be a million of them. */
export interface NameIndex {
  /** Says which names there are: while it is equal, so are they. */
  readonly state: number;
  has(name: string): boolean;
  /** Names among which the one is that a misspelt word stands for, where there is such a one. */
  near(word: string): Iterable<string>;
}

/** Names that are known. */
export type Names = ReadonlySet<string> | NameIndex;

/** Known names, for warnings and did-you-mean. A list that is left out or empty is not checked against. */
export interface RuleCatalogue {
  /** Every (provider, model) that the gateway can serve. */
  models(): Iterable<Target>;
  /** Provider names beyond those of `models()`. */
  providers?(): Iterable<string>;
  /** Aliases and ids. */
  teams?(): Iterable<string> | NameIndex;
  /** Aliases and ids. */
  keys?(): Iterable<string> | NameIndex;
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
  readonly teams: Names;
  readonly keys: Names;
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
  const teams = namesOf(catalogue.teams?.() ?? []);
  const { failingTests = "refuse" } = catalogue;
  const keys = namesOf(catalogue.keys?.() ?? []);
  const attributes = new Map(ATTRIBUTES);
  for (const attribute of catalogue.attributes?.() ?? []) attributes.set(attribute.name, attribute);
  let listed: ReadonlySet<string> | null = null;
  const listedModels = (): ReadonlySet<string> => {
    listed ??= new Set(catalogue.listedModels?.() ?? []);
    return listed;
  };
  return { targets, models, providers, teams, keys, listedModels, failingTests, attributes };
}

/** True for names that are not listed. */
export function isIndex(names: Iterable<string> | NameIndex): names is NameIndex {
  return "near" in names;
}

function namesOf(names: Iterable<string> | NameIndex): Names {
  return isIndex(names) ? names : new Set(names);
}
