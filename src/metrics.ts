// `GET /metrics` of the admin listener: what the gateway and its plugins count, in Prometheus' text format.
import type { Logger } from "pino";
import { type Metric as Exposed, Registry as Exposition } from "prom-client";
import { type ApiRoute, route } from "./api/route.ts";
import type { HistogramSample, Metric, MetricSample } from "./plugin.ts";

/** Where the admin listener serves them. */
const METRICS_PATH = "/metrics";

/** Who counts something. */
export interface MetricSource {
  readonly name: string;
  collect(): readonly Metric[];
}

/** Makes the route. */
export function metricsRoute(collect: () => Promise<readonly Metric[]>, isOpen: boolean): ApiRoute {
  return route({
    ...{ method: "GET", path: METRICS_PATH, operationId: "metrics", access: isOpen ? "open" : "admin" },
    summary: "What the gateway and its plugins count",
    replies: { 200: { description: "Prometheus' text format." } },
    handle: async () => {
      const exposition = new Exposition();
      for (const metric of await collect()) exposition.registerMetric(exposed(metric));
      const headers = { "content-type": exposition.contentType };
      return { status: 200, body: await exposition.metrics(), headers };
    },
  });
}

/** What each source counts now. One that fails is logged and left out: the others are served. */
export function collectEach(sources: readonly MetricSource[], log: Logger): readonly Metric[] {
  const metrics = new Map<string, Metric>();
  for (const { name, collect } of sources) {
    try {
      for (const metric of collect()) addNew(metrics, metric);
    } catch (error) {
      log.error({ err: error, source: name }, "metrics could not be collected");
    }
  }
  return [...metrics.values()];
}

function addNew(metrics: Map<string, Metric>, metric: Metric): void {
  if (!/^[a-z_][a-z0-9_]*$/.test(metric.name)) throw new Error(`\`${metric.name}\` is no name for a metric`);
  if (metrics.has(metric.name)) throw new Error(`\`${metric.name}\` is counted twice`);
  metrics.set(metric.name, metric);
}

/** A metric as the library's registry takes one: it asks for the values when it writes them. */
function exposed({ name, help, type, samples }: Metric): Exposed {
  const values = samples.flatMap((sample) => ("value" in sample ? [lineOf(sample)] : bucketsOf(name, sample)));
  return { name, get: async () => ({ name, help, type, values, aggregator: "sum" }) } as unknown as Exposed;
}

/** One line. */
interface Line {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

function lineOf({ labels = {}, value }: MetricSample): Line {
  return { labels, value };
}

/** Prometheus counts each bucket with all below it. */
function bucketsOf(name: string, { labels = {}, upperBounds, counts, sum }: HistogramSample): Line[] {
  let total = 0;
  const buckets = [...upperBounds, "+Inf"].map((le, i): Line => {
    total += counts[i] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ];
}

/** A metric of one value. */
export function single(type: "counter" | "gauge", name: string, help: string, value: number): Metric {
  return { name, help, type, samples: [{ value }] };
}

/** What is known of the process itself, by the names that dashboards expect. */
export function processMetrics(): readonly Metric[] {
  const { user, system } = process.cpuUsage();
  const { active } = performance.eventLoopUtilization();
  return [
    single("counter", "process_cpu_seconds_total", "User and system CPU time.", (user + system) / 1e6),
    single("gauge", "process_resident_memory_bytes", "Resident memory.", process.memoryUsage.rss()),
    single("gauge", "process_start_time_seconds", "Start, as Unix time.", performance.timeOrigin / 1e3),
    single("counter", "nodejs_eventloop_active_seconds_total", "Time that the event loop was busy.", active / 1e3),
  ];
}
