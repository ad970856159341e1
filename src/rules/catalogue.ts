// What the checker asks about the world around the rules.
import type { Target } from "../types.ts";

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
}

/** The catalogue's names as sets, made once per load. */
export interface Vocabulary {
  readonly targets: readonly Target[];
  readonly models: ReadonlySet<string>;
  readonly providers: ReadonlySet<string>;
  readonly teams: ReadonlySet<string>;
  readonly keys: ReadonlySet<string>;
}

/** Reads a catalogue's names. */
export function vocabularyOf(catalogue: RuleCatalogue): Vocabulary {
  const models = new Set<string>();
  const providers = new Set<string>(catalogue.providers?.() ?? []);
  const targets = [...catalogue.models()];
  for (const target of targets) {
    models.add(target.model);
    providers.add(target.provider);
  }
  return {
    targets,
    models,
    providers,
    teams: new Set(catalogue.teams?.() ?? []),
    keys: new Set(catalogue.keys?.() ?? []),
  };
}
