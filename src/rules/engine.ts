// The rule service: loads a directory's rules, swaps them in whole, keeps the last good set, decides.
import { setTimeout as delay } from "node:timers/promises";
import type { Call, Clock, Decision, Principal } from "../types.ts";
import { type AppliedQuota, applyingTo, keptRules, type SubjectOfRules } from "./applying.ts";
import { buildSteps, type Snapshot } from "./build.ts";
import type { RuleCatalogue } from "./catalogue.ts";
import { type CheckedRule, isCounting } from "./checked.ts";
import { compileSteps } from "./compile.ts";
import { createDecide, type Decide } from "./decide.ts";
import type { Diagnostic } from "./diagnostics.ts";
import { InlineRuleSets } from "./inline.ts";
import { InlineRulesError } from "./inline-bind.ts";
import { LastGood } from "./last-good.ts";
import { readDirectory } from "./load.ts";
import { StatementCache } from "./parse.ts";
import { createFactsOf, type FactsOf } from "./record.ts";
import { renderText } from "./render.ts";
import type {
  LoadCounts,
  Recorded,
  RecordedAs,
  RuleFailure,
  RuleKeeper,
  RuleLoad,
  RuleLog,
  RuleService,
  RuleStatus,
} from "./service.ts";
import { finishInSlices } from "./steps.ts";
import { watchDirectory } from "./watch.ts";

/** Hex digits of the hash that people see. */
const HASH_DIGITS = 12;
/** While rules are loaded, requests are served at least so often, milliseconds. */
const SLICE_MS = 5;
/** Findings in a load's report. */
const FINDINGS_MAX = 50;
/** Files that are being written are read again after so long, until two readings agree, milliseconds. */
const STEADY_MS = 50;
/** Generations whose requests can still be recorded. */
const GENERATIONS_KEPT = 3;

export interface RuleServiceOptions {
  /** The rules directory. */
  readonly directory: string;
  readonly catalogue: RuleCatalogue;
  readonly clock: Clock;
  readonly log?: RuleLog;
  /** Whether header and metadata values that rules read may be recorded; true when left out. */
  readonly recordValues?: boolean;
  /** Keeps the last good set across restarts; left out, nothing is kept. */
  readonly keeper?: RuleKeeper;
  /** What a first load comes to where the files are broken: the last good set (when left out), or nothing in force. */
  readonly onBrokenStart?: "last_good" | "refuse";
}

/** The rules in force. */
interface InForce {
  readonly decide: Decide;
  readonly factsOf: FactsOf;
  readonly hash: string;
  readonly files: number;
  readonly rules: number;
  /** Those that are `limit` and `budget` statements. */
  readonly counting: readonly CheckedRule[];
  readonly loadedMs: number;
  /** As `RuleStatus.keptMs`. */
  readonly keptMs: number | null;
}

/** Makes the service. Until `load` has succeeded once, every call is denied with `policy_error`. */
export function createRuleService(options: RuleServiceOptions): RuleService {
  return new RuleEngine(options);
}

class RuleEngine implements RuleService {
  generation = 0;
  private readonly options: RuleServiceOptions;
  private readonly cache = new StatementCache();
  private readonly inline: InlineRuleSets;
  private readonly nowMs: () => number;
  private inForce: InForce | null = null;
  /** By generation: a request is recorded after it was decided, and the rules may have changed in between. */
  private readonly lately = new Map<number, Pick<InForce, "hash" | "factsOf">>();
  private readonly counts = { ok: 0, failed: 0 };
  /** Hash of what was last tried, whether it came into force or not. */
  private tried: string | null = null;
  private last: RuleLoad | null = null;
  private failure: RuleFailure | null = null;
  private readonly lastGood: LastGood;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(options: RuleServiceOptions) {
    this.options = options;
    this.nowMs = () => options.clock.nowMs();
    this.lastGood = new LastGood(options.keeper, options.log);
    this.inline = new InlineRuleSets(
      ({ scope, subject }, report) =>
        options.log?.error({ scope, subject, report }, "rules kept on an account are broken: its requests are denied"),
      options.catalogue,
    );
  }

  status(): RuleStatus {
    const { generation, failure } = this;
    const nothing = { hash: "", files: 0, rules: 0, loadedMs: null, keptMs: null };
    const { hash, files, rules, loadedMs, keptMs } = this.inForce ?? nothing;
    const stale = this.inForce !== null && failure !== null;
    return { generation, hash, files, rules, loadedMs, stale, keptMs, lastFailure: failure };
  }

  load(): Promise<RuleLoad> {
    return this.inTurn(async () => this.take(await readDirectory(this.options.directory)));
  }

  watch(signal: AbortSignal, onLoad: (load: RuleLoad) => void): void {
    watchDirectory(this.options.directory, signal, () =>
      this.inTurn(async () => {
        const snapshot = await this.steadySnapshot(signal);
        if (snapshot === null || signal.aborted) return;
        const load = await this.take(snapshot);
        if (load.changed) onLoad(load);
      }).catch((error: unknown) => this.options.log?.error({ err: error }, "looking for changed rules failed")),
    );
  }

  decide(call: Call, principal: Principal): Decision {
    try {
      if (this.inForce !== null) return this.inForce.decide(call, principal, this.nowMs);
    } catch (error) {
      if (error instanceof InlineRulesError) return policyError(this.generation, error.message);
      this.options.log?.error({ err: error, generation: this.generation }, "the rules could not be evaluated");
    }
    return policyError(this.generation);
  }

  record(call: Call, principal: Principal, { generation, sent }: RecordedAs): Recorded | null {
    const decided = this.lately.get(generation);
    return decided === undefined ? null : { rulesHash: decided.hash, facts: decided.factsOf(call, principal, sent) };
  }

  statements(subject: SubjectOfRules): readonly AppliedQuota[] {
    const { catalogue } = this.options;
    const rules = [...(this.inForce?.counting ?? []), ...keptRules(subject.principal, catalogue)];
    return applyingTo(rules, subject, [...catalogue.models()], this.nowMs());
  }

  get hash(): string {
    return this.inForce?.hash ?? "";
  }

  get loads(): LoadCounts {
    return this.counts;
  }

  /** Loads never overlap: each waits for the one before. */
  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.queue.then(work);
    this.queue = result.catch(() => undefined);
    return result;
  }

  /** The directory once it has stopped changing, or null when it is what was tried last. */
  private async steadySnapshot(signal: AbortSignal): Promise<Snapshot | null> {
    let before = await readDirectory(this.options.directory);
    while (before.hash !== this.tried && !signal.aborted) {
      await delay(STEADY_MS, undefined, { ref: false });
      const after = await readDirectory(this.options.directory);
      if (after.hash === before.hash) return after;
      before = after;
    }
    return null;
  }

  /** Brings a snapshot into force, or reports why it cannot be. */
  private async take(snapshot: Snapshot): Promise<RuleLoad> {
    if (this.last !== null && snapshot.hash === this.tried) return { ...this.last, changed: false };
    const { ok, report } = await this.enforce(snapshot, null);
    this.counts[ok ? "ok" : "failed"] += 1;
    this.failure = ok ? null : { atMs: this.nowMs(), report };
    if (ok) this.lastGood.keep(snapshot);
    const fallback = ok || this.inForce !== null ? "" : await this.fallBack();
    this.tried = snapshot.hash;
    this.last = this.loadOf(ok, report + fallback);
    return this.last;
  }

  /** Brings the kept set into force; what comes back is the report where it does not build any more. */
  private async fallBack(): Promise<string> {
    if (this.options.onBrokenStart === "refuse") return "";
    const kept = this.lastGood.kept();
    if (kept === null) return "";
    const { ok, report } = await this.enforce(kept.snapshot, kept.keptMs);
    const since = new Date(kept.keptMs).toISOString();
    return ok ? "" : `\nthe last good rules, kept ${since}, cannot be used either:\n\n${report}`;
  }

  /** Builds a snapshot and swaps it in, unless it has an error. */
  private async enforce(snapshot: Snapshot, keptMs: number | null): Promise<{ ok: boolean; report: string }> {
    const steps = buildSteps(snapshot, this.options.catalogue, this.cache, this.nowMs());
    const { set, diagnostics } = await finishInSlices(steps, SLICE_MS);
    if (set !== null) {
      const compiled = await finishInSlices(compileSteps(set), SLICE_MS);
      this.generation += 1;
      this.inForce = {
        decide: createDecide(compiled, this.generation, this.inline),
        factsOf: createFactsOf(set, this.options.recordValues ?? true),
        hash: snapshot.hash.slice(0, HASH_DIGITS),
        files: snapshot.sources.length,
        rules: set.rules.length,
        counting: set.rules.filter(isCounting),
        loadedMs: this.nowMs(),
        keptMs,
      };
      this.lately.set(this.generation, { hash: this.inForce.hash, factsOf: this.inForce.factsOf });
      this.lately.delete(this.generation - GENERATIONS_KEPT);
    }
    return { ok: set !== null, report: reportOf(diagnostics) };
  }

  private loadOf(ok: boolean, report: string): RuleLoad {
    const { hash = "", files = 0, rules = 0 } = this.inForce ?? {};
    return { ok, changed: true, generation: this.generation, hash, files, rules, report };
  }
}

/** A report goes to the log: one of a file that is no rule file at all must not fill it, and hints are for `check`. */
function reportOf(all: readonly Diagnostic[]): string {
  const diagnostics = all.filter(({ severity }) => severity !== "info");
  const more = diagnostics.length - FINDINGS_MAX;
  const text = renderText(diagnostics.slice(0, FINDINGS_MAX));
  return more > 0 ? `${text}\nand ${more} more: \`tollgate check\` shows all\n` : text;
}

/** Nothing is skipped silently: a request that cannot be decided is denied. */
function policyError(
  generation: number,
  message = "The rules could not be evaluated, so the request is denied",
): Decision {
  return {
    effect: "deny",
    targets: [],
    denial: { code: "policy_error", message },
    ruleIds: [],
    shadowIds: [],
    unknown: [],
    generation,
  };
}
