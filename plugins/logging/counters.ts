// Counts requests as plain numbers; they are made into metrics only when somebody asks.
import type { AccessRecord, HistogramSample, Metric, MetricSample } from "../../src/plugin.ts";

/** Models by provider that have numbers of their own; callers may make up spellings, which then count as `other`. */
const SERIES_MAX = 200;
/** Rules that have numbers of their own. */
const RULES_MAX = 1_000;
const OTHER = "other";
/** A request without a model or provider: it was refused before. */
const NONE = "none";

const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const DECISIONS = ["allow", "deny", NONE] as const;
/** Seconds: from a refusal to a long answer. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** How long something took, by bucket. */
class Durations {
  readonly counts = new Array<number>(BOUNDS.length + 1).fill(0);
  sum = 0;

  add(ms: number): void {
    const seconds = ms / 1_000;
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] as number)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += seconds;
  }
}

/** One model at one provider. */
class Series {
  /** By status class, then decision. */
  readonly requests = new Array<number>(CLASSES.length * DECISIONS.length).fill(0);
  input = 0;
  output = 0;
  cachedInput = 0;
  cacheWrite = 0;
  estimated = 0;
  costNanoUsd = 0;
}

/** Of one provider. */
class Times {
  readonly total = new Durations();
  readonly firstByte = new Durations();
}

/** A rule's matches. */
interface Hits {
  live: number;
  shadow: number;
  warn: number;
  refused: number;
}

/** What has been counted since the start. */
export class Counters {
  readonly #series = new Map<string, Map<string, Series>>();
  #seriesCount = 0;
  readonly #times = new Map<string, Times>();
  readonly #errors = new Map<string, number>();
  readonly #rules = new Map<string, Hits>();

  add(entry: AccessRecord): void {
    this.#addTo(this.#seriesOf(entry.provider ?? NONE, entry.model ?? NONE), entry);
    this.#addTimes(entry);
    if (entry.error !== null) this.#errors.set(entry.error, (this.#errors.get(entry.error) ?? 0) + 1);
    for (const id of entry.ruleIds) this.#hitsOf(id).live += 1;
    for (const id of entry.shadowIds) this.#hitsOf(id).shadow += 1;
    for (const id of entry.warningIds) this.#hitsOf(id).warn += 1;
    if (entry.countedIds !== undefined) for (const id of entry.countedIds) this.#hitsOf(id).live += 1;
    if (entry.refusedById !== undefined) this.#hitsOf(entry.refusedById).refused += 1;
  }

  #addTo(series: Series, { status, decision, usage, costNanoUsd }: AccessRecord): void {
    const decided = decision === "allow" ? 0 : decision === "deny" ? 1 : 2;
    const cell = (Math.floor(status / 100) - 1) * DECISIONS.length + decided;
    series.requests[cell] = (series.requests[cell] ?? 0) + 1;
    series.costNanoUsd += costNanoUsd;
    if (usage === null) return;
    series.input += usage.inputTokens;
    series.output += usage.outputTokens;
    series.cachedInput += usage.cachedInputTokens;
    series.cacheWrite += usage.cacheWriteTokens;
    if (usage.estimated) series.estimated += 1;
  }

  #addTimes({ provider, totalMs, firstByteMs }: AccessRecord): void {
    const name = provider ?? NONE;
    let times = this.#times.get(name);
    if (times === undefined) {
      times = new Times();
      this.#times.set(name, times);
    }
    times.total.add(totalMs);
    if (firstByteMs !== null) times.firstByte.add(firstByteMs);
  }

  #seriesOf(provider: string, model: string): Series {
    let ofProvider = this.#series.get(provider);
    if (ofProvider === undefined) {
      ofProvider = new Map();
      this.#series.set(provider, ofProvider);
    }
    let series = ofProvider.get(model);
    if (series === undefined) {
      if (this.#seriesCount >= SERIES_MAX && model !== OTHER) return this.#seriesOf(provider, OTHER);
      series = new Series();
      this.#seriesCount += 1;
      ofProvider.set(model, series);
    }
    return series;
  }

  #hitsOf(id: string): Hits {
    let hits = this.#rules.get(id);
    if (hits === undefined) {
      if (this.#rules.size >= RULES_MAX && id !== OTHER) return this.#hitsOf(OTHER);
      hits = { live: 0, shadow: 0, warn: 0, refused: 0 };
      this.#rules.set(id, hits);
    }
    return hits;
  }

  /** The numbers so far. Labels that callers could choose are bounded: what is too many counts as `other`. */
  metrics(): readonly Metric[] {
    const counter = (name: string, help: string, samples: readonly MetricSample[]): Metric => ({
      ...{ name, help, type: "counter", samples },
    });
    const histogram = (name: string, help: string, samples: readonly HistogramSample[]): Metric => ({
      ...{ name, help, type: "histogram", samples },
    });
    return [
      counter("tollgate_requests_total", "Requests answered, refused ones too.", this.#requests()),
      counter(
        "tollgate_tokens_total",
        "Tokens used; `cached_input` and `cache_write` are parts of `input`.",
        this.#each(tokens),
      ),
      counter("tollgate_cost_usd_total", "What was charged, in US dollars.", this.#each(cost)),
      counter(
        "tollgate_usage_estimated_total",
        "Answers whose usage the provider did not say.",
        this.#each(({ estimated }) => [{ value: estimated }]),
      ),
      counter("tollgate_errors_total", "Answers with an error, by its code.", this.#errorSamples()),
      counter("tollgate_rule_hits_total", "Requests that a rule matched.", this.#hits()),
      histogram(
        "tollgate_request_duration_seconds",
        "From arrival to settlement.",
        this.#durations(({ total }) => total),
      ),
      histogram(
        "tollgate_first_byte_seconds",
        "From arrival to the provider's first byte.",
        this.#durations(({ firstByte }) => firstByte),
      ),
    ];
  }

  #each(samples: (series: Series) => readonly MetricSample[]): MetricSample[] {
    return [...this.#series].flatMap(([provider, models]) =>
      [...models].flatMap(([model, series]) =>
        samples(series).map(({ labels, value }) => ({ labels: { provider, model, ...labels }, value })),
      ),
    );
  }

  #requests(): MetricSample[] {
    return this.#each(({ requests }) =>
      requests.flatMap((value, cell) => {
        if (value === 0) return [];
        const status = CLASSES[Math.floor(cell / DECISIONS.length)] ?? "";
        return [{ labels: { status, decision: DECISIONS[cell % DECISIONS.length] ?? "" }, value }];
      }),
    );
  }

  #errorSamples(): MetricSample[] {
    return [...this.#errors].map(([code, value]) => ({ labels: { code }, value }));
  }

  #hits(): MetricSample[] {
    const kinds = ["live", "shadow", "warn", "refused"] as const;
    return [...this.#rules].flatMap(([rule, hits]) =>
      kinds.filter((kind) => hits[kind] > 0).map((kind) => ({ labels: { rule, kind }, value: hits[kind] })),
    );
  }

  #durations(of: (times: Times) => Durations): HistogramSample[] {
    return [...this.#times].map(([provider, times]) => {
      const { counts, sum } = of(times);
      return { labels: { provider }, upperBounds: BOUNDS, counts, sum };
    });
  }
}

function tokens({ input, output, cachedInput, cacheWrite }: Series): MetricSample[] {
  return [
    { labels: { kind: "input" }, value: input },
    { labels: { kind: "output" }, value: output },
    { labels: { kind: "cached_input" }, value: cachedInput },
    { labels: { kind: "cache_write" }, value: cacheWrite },
  ];
}

function cost({ costNanoUsd }: Series): MetricSample[] {
  return [{ value: costNanoUsd / 1e9 }];
}
