// The last good rule set: kept after each good load, taken out where the files are broken at start.
import { type Snapshot, snapshotOf } from "./build.ts";
import type { RuleKeeper, RuleLog } from "./service.ts";

/** A set that was kept, as the files it was. */
export interface KeptSnapshot {
  readonly snapshot: Snapshot;
  readonly keptMs: number;
}

/** A keeper whose failures are logged: the rules in force do not depend on it. */
export class LastGood {
  private readonly keeper: RuleKeeper | undefined;
  private readonly log: RuleLog | undefined;

  constructor(keeper: RuleKeeper | undefined, log: RuleLog | undefined) {
    this.keeper = keeper;
    this.log = log;
  }

  /** Keeps the texts of a set that came into force. */
  keep({ sources, hash }: Snapshot): void {
    try {
      this.keeper?.keep({ hash, files: sources.map(({ name, text }) => ({ name, text })) });
    } catch (error) {
      this.log?.error({ err: error }, "the rules in force could not be kept for a restart with broken files");
    }
  }

  /** What was kept last, or null; null also where it is not what was kept, byte for byte. */
  kept(): KeptSnapshot | null {
    try {
      const kept = this.keeper?.kept() ?? null;
      if (kept === null) return null;
      const snapshot = snapshotOf(kept.files.map(({ name, text }) => ({ name, label: name, text })));
      if (snapshot.hash === kept.hash) return { snapshot, keptMs: kept.keptMs };
      throw new Error("the kept rules are not what was kept");
    } catch (error) {
      this.log?.error({ err: error }, "the rules that were kept before this start cannot be read");
      return null;
    }
  }
}
