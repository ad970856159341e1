// `--workers N` in the first process: starts the workers, replaces those that end, asks them, drains them.
import cluster from "node:cluster";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { single } from "../metrics.ts";
import type { Metric } from "../plugin.ts";
import { type Answered, LOG_FD, type Question, type Workers } from "./messages.ts";
import { Place } from "./place.ts";

/** Beyond the drain deadline, for what was cut to settle and the database to be written, milliseconds. */
const DRAIN_MORE_MS = 15_000;

/** What a pool works with. */
export interface PoolOptions {
  /** How many workers: at least 2. */
  readonly count: number;
  readonly config: Config;
  readonly log: Logger;
  /** Takes the workers' log lines. */
  readonly passOn: (lines: Buffer) => void;
}

/**
 * The workers share the data plane's port by node:cluster: this process accepts connections and hands them out in turn,
 * so that the port is busy for others, stays the same when workers come and go, and works on every system. A process
 * has one pool.
 */
export class WorkerPool implements Workers {
  readonly #options: PoolOptions;
  readonly #places: readonly Place[];
  /** Told when a worker has died: what it held is to be charged. */
  onLoss: () => void = () => undefined;
  #url: string | null = null;
  #adminKey = "";
  /** What workers ask for: as configured, until all have ended at once. */
  #port: number;

  constructor(options: PoolOptions) {
    const { count, log, passOn } = options;
    this.#options = options;
    this.#port = options.config.listen.port;
    this.#places = Array.from(
      { length: count },
      (_, i) => new Place({ worker: i + 1, config: () => this.#configNow(), log, passOn, onLoss: () => this.onLoss() }),
    );
  }

  get serving(): number {
    return this.#places.filter(({ serves }) => serves).length;
  }

  /** False once a worker did not end its drain in good order. */
  get drainedWell(): boolean {
    return this.#places.every(({ drainedWell }) => drainedWell);
  }

  async start(adminKey: string): Promise<string> {
    this.#adminKey = adminKey;
    const name = import.meta.url.endsWith(".ts") ? "entry.ts" : "entry.js";
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    if (LOG_FD !== stdio.length) throw new Error("The log's pipe follows the others");
    cluster.setupPrimary({
      exec: fileURLToPath(new URL(name, import.meta.url)),
      args: [],
      stdio: [...stdio, "pipe"],
      serialization: "advanced",
    });
    cluster.schedulingPolicy = cluster.SCHED_RR;
    try {
      [this.#url = ""] = await Promise.all(this.#places.map((place) => place.start()));
      return this.#url;
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  ask<Q extends Question>(question: Q): Promise<readonly Answered<Q>[]> {
    return Promise.all(this.#places.filter(({ serves }) => serves).map((place) => place.ask(question)));
  }

  metrics(): readonly Metric[] {
    const restarts = this.#places.reduce((sum, place) => sum + place.restarts, 0);
    return [
      single("gauge", "tollgate_workers", "Workers that serve.", this.serving),
      single("counter", "tollgate_worker_restarts_total", "Workers that took the place of one that ended.", restarts),
    ];
  }

  async drain(): Promise<void> {
    const withinMs = this.#options.config.limits.drainMs + DRAIN_MORE_MS;
    await Promise.all(this.#places.map((place) => place.drain(withinMs)));
  }

  /** Ends all at once: what they held is charged by whoever opens the database next. */
  kill(): void {
    for (const place of this.#places) place.kill();
  }

  /**
   * The config with the one admin key: workers serve some routes of the admin's too. A worker that replaces another is no start of the gateway: broken rule files do not keep it from starting. A port
   * that the system chose (0) is shared while a worker has it; when none has, it is asked for by its number.
   */
  #configNow(): Config {
    // Where a plugin's config stands is only needed for errors in it, which the first process has looked for.
    const plugins = this.#options.config.plugins.map((plugin) => ({ ...plugin, source: null }));
    const admin = { ...this.#options.config.admin, key: this.#adminKey };
    const config = { ...this.#options.config, plugins, admin };
    if (this.#url === null) return config;
    if (this.serving === 0) this.#port = Number(new URL(this.#url).port || 80);
    const listen = { ...config.listen, port: this.#port };
    return { ...config, listen, rules: { ...config.rules, onBrokenStart: "last_good" } };
  }
}
