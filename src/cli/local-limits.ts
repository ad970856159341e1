// What is left of budgets and limits, on the config's database and by the config's rules.

import { systemClock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import { createLedger } from "../ledger/engine.ts";
import { type LimitedKind, type LimitsJson, limitsOf } from "../limits.ts";
import { applyingTo, keptRules } from "../rules/applying.ts";
import type { Store } from "../store/store.ts";
import type { Io } from "./command.ts";
import { configSurroundings, readSet } from "./rule-files.ts";

/** What the limits are read from. */
export interface LimitSources {
  readonly store: Store;
  readonly config: Config;
  /** `--config`, or undefined. */
  readonly configPath: string | undefined;
  readonly io: Io;
}

/** The limits of the object of that id. @throws SetupError 2 when the rules have an error */
export async function localLimits(kind: LimitedKind, id: string, sources: LimitSources): Promise<LimitsJson> {
  const { store, config, configPath, io } = sources;
  const { rules } = await readSet("limits", [], configPath, io, configSurroundings);
  const { catalogue } = await configSurroundings(configPath, io);
  const targets = [...catalogue.models()];
  const ledger = createLedger({ store: store.ledger, clock: systemClock, timeZone: config.timezone });
  return limitsOf(kind, id, {
    ...{ accounts: store.accounts, ledger },
    statements: (subject) =>
      applyingTo([...rules, ...keptRules(subject.principal, catalogue)], subject, targets, systemClock.nowMs()),
  });
}
