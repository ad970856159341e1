// Metrics of several processes in one exposition: each number says by the label `worker` whose it is.
import type { Metric } from "../plugin.ts";

/** What one process counted. */
export interface ProcessMetrics {
  /** Value of the label `worker`. */
  readonly worker: string;
  readonly metrics: readonly Metric[];
}

/** One metric a name, with the samples of all processes; help and type are those of the first that has it. */
export function labelled(processes: readonly ProcessMetrics[]): readonly Metric[] {
  const merged = new Map<string, Metric>();
  for (const { worker, metrics } of processes) {
    for (const metric of metrics) {
      const samples = metric.samples.map((sample) => ({ ...sample, labels: { ...sample.labels, worker } }));
      const before = merged.get(metric.name)?.samples ?? [];
      merged.set(metric.name, { ...(merged.get(metric.name) ?? metric), samples: [...before, ...samples] });
    }
  }
  return [...merged.values()];
}
