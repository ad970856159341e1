// Tells a webhook: signed, tried again with back-off, in a bounded queue, and never in a request's way.
import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Host } from "../../src/plugin.ts";

/** Where to, from the config. */
export interface WebhookConfig {
  readonly url: string;
  /** Signs what is sent; `whsec_` and base64, or any text. */
  readonly secret?: string | undefined;
  /** Milliseconds that one try may take. */
  readonly timeout: number;
}

/** What a test may choose. */
export interface WebhookTiming {
  /** How long to wait before each further try, milliseconds. */
  readonly retryMs: readonly number[];
  /** How long a stop waits for what is under way, milliseconds. */
  readonly stopMs: number;
}

/** Six tries in some six minutes. */
const TIMING: WebhookTiming = { retryMs: [1_000, 5_000, 20_000, 60_000, 300_000], stopMs: 1_000 };
/** Messages that wait; the oldest is given up for a newer one. */
const QUEUE_MAX = 1_000;
/** Messages that are under way at a time. */
const SENDERS_MAX = 4;

interface Message {
  readonly id: string;
  readonly body: string;
}

/** How a message ended. */
export type DeliveryResult = "delivered" | "failed" | "dropped";

/**
 * Posts JSON. The headers are those of https://www.standardwebhooks.com: `webhook-id` (the same at each try),
 * `webhook-timestamp` (seconds) and, with a secret, `webhook-signature: v1,` and the base64 of HMAC-SHA-256 over
 * `id.timestamp.body`. Neither the URL, which may hold a secret, nor what is sent is ever logged.
 */
export class Webhook {
  readonly counts: Record<DeliveryResult, number> = { delivered: 0, failed: 0, dropped: 0 };
  readonly #config: WebhookConfig;
  readonly #host: Pick<Host, "log" | "clock">;
  readonly #timing: WebhookTiming;
  readonly #queue: Message[] = [];
  /** Aborted first: nothing begins any more, and nobody waits for another try. */
  readonly #closing = new AbortController();
  /** Cuts the tries that are under way. */
  readonly #abort = new AbortController();
  readonly #underWay = new Set<Promise<void>>();

  constructor(config: WebhookConfig, host: Pick<Host, "log" | "clock">, timing: WebhookTiming = TIMING) {
    this.#config = config;
    this.#host = host;
    this.#timing = timing;
  }

  /** Queues a message and returns at once. */
  send(event: object): void {
    if (this.#queue.length >= QUEUE_MAX) {
      this.#queue.shift();
      this.#ended("dropped", "the queue is full");
    }
    this.#queue.push({ id: `msg_${randomBytes(12).toString("hex")}`, body: JSON.stringify(event) });
    this.#fill();
  }

  /** Gives what is under way a moment, then gives up the rest. */
  async stop(): Promise<void> {
    this.#closing.abort();
    const timer = setTimeout(() => this.#abort.abort(), this.#timing.stopMs);
    await Promise.allSettled(this.#underWay);
    clearTimeout(timer);
    for (const _message of this.#queue.splice(0)) this.#ended("dropped", "the gateway stops");
  }

  #fill(): void {
    while (this.#underWay.size < SENDERS_MAX && !this.#closing.signal.aborted) {
      const message = this.#queue.shift();
      if (message === undefined) return;
      const work: Promise<void> = this.#deliver(message).then(() => {
        this.#underWay.delete(work);
        this.#fill();
      });
      this.#underWay.add(work);
    }
  }

  async #deliver(message: Message): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const problem = await this.#try(message);
      if (problem === null) return this.#ended("delivered", null);
      const waitMs = this.#timing.retryMs[tries];
      if (!problem.isPassing || waitMs === undefined) return this.#ended("failed", problem.text);
      await delay(waitMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
      if (this.#closing.signal.aborted) return this.#ended("dropped", problem.text);
    }
  }

  /** One try: null when it was taken. */
  async #try({ id, body }: Message): Promise<{ readonly text: string; readonly isPassing: boolean } | null> {
    const { url, secret, timeout } = this.#config;
    const timestamp = String(Math.floor(this.#host.clock.nowMs() / 1_000));
    const headers = {
      ...{ "content-type": "application/json", "user-agent": "tollgate", "webhook-id": id },
      "webhook-timestamp": timestamp,
      ...(secret === undefined ? {} : { "webhook-signature": signature(secret, `${id}.${timestamp}.${body}`) }),
    };
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(timeout)]);
    try {
      const answer = await fetch(url, { method: "POST", headers, body, signal, redirect: "error" });
      await answer.body?.cancel();
      if (answer.ok) return null;
      return { text: `status ${answer.status}`, isPassing: answer.status >= 500 || [408, 429].includes(answer.status) };
    } catch (error) {
      return { text: reasonOf(error), isPassing: true };
    }
  }

  #ended(result: DeliveryResult, problem: string | null): void {
    this.counts[result] += 1;
    if (result !== "delivered") this.#host.log.warn({ result, problem }, "a budget warning did not reach the webhook");
  }
}

function signature(secret: string, signed: string): string {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : secret;
  return `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
}

/** A code of the network's (`ECONNREFUSED`) or the kind of error: messages may hold the URL. */
function reasonOf(error: unknown): string {
  const { cause, name } = error as { readonly cause?: { readonly code?: unknown }; readonly name?: unknown };
  return String(cause?.code ?? name ?? "unknown");
}
