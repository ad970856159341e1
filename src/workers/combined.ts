// What the first process tells of all: their rules, their metrics, their state. Without workers, of itself alone.
import type { Metric } from "../plugin.ts";
import type { RuleLoad, RuleService, RuleStatus } from "../rules/service.ts";
import { labelled } from "./labelled.ts";
import type { ProcessStatus, Workers } from "./messages.ts";

/** What came of a load in one worker. */
interface WorkerLoad extends Pick<RuleLoad, "ok" | "generation" | "hash"> {
  readonly worker: number;
}

/** What came of a load in all processes; `ok` where it is so in each. */
interface LoadInAll extends RuleLoad {
  readonly workers?: readonly WorkerLoad[];
}

/** Reads the rule files in every process. */
export async function loadInAll(rules: Pick<RuleService, "load">, workers: Workers | undefined): Promise<LoadInAll> {
  const load = await rules.load();
  if (workers === undefined) return load;
  const all = (await workers.ask("reload")).map(({ worker, answer }) => {
    const { ok, generation, hash } = answer ?? { ok: false, generation: 0, hash: "" };
    return { worker, ok, generation, hash };
  });
  return { ...load, ok: load.ok && all.every(({ ok }) => ok), workers: all };
}

/** What all count; a worker that does not answer in time is left out. The first process's own are those of worker 0. */
export async function metricsOfAll(own: readonly Metric[], workers: Workers | undefined): Promise<readonly Metric[]> {
  if (workers === undefined) return own;
  const others = await workers.ask("metrics");
  return labelled([
    { worker: "0", metrics: [...own, ...workers.metrics()] },
    ...others.map(({ worker, answer }) => ({ worker: String(worker), metrics: answer ?? [] })),
  ]);
}

/** The state of one process. */
export function statusOf(
  { draining, active }: { readonly draining: boolean; readonly active: number },
  storeProblem: string | null,
  rules: RuleStatus,
): ProcessStatus {
  return { notReady: draining ? "draining" : storeProblem, active, rules: shownStatus(rules) };
}

/** What `/readyz?verbose` says of the rules: whoever can reach the port may read it, so no report. */
function shownStatus({ generation, hash, files, rules, loadedMs, stale, keptMs, lastFailure }: RuleStatus): object {
  const time = (ms: number | null | undefined): string | null => (ms == null ? null : new Date(ms).toISOString());
  const times = { loaded: time(loadedMs), kept: time(keptMs), failed: time(lastFailure?.atMs) };
  return { generation, hash, files, rules, stale, ...times };
}

/** What `/readyz?verbose` says beside the state. */
export async function factsOfAll({ rules, active }: ProcessStatus, workers: Workers | undefined): Promise<object> {
  if (workers === undefined) return { rules, active_requests: active };
  const all = (await workers.ask("status")).map(({ worker, pid, answer }) => ({
    worker,
    pid,
    ready: answer !== null && answer.notReady === null,
    active_requests: answer?.active ?? 0,
    rules: answer?.rules ?? null,
  }));
  return { rules, active_requests: all.reduce((sum, one) => sum + one.active_requests, 0), workers: all };
}
