// One forwarded request: dials the upstream, relays or collects its answer, and holds back the end until it is settled.
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import type { OutcomeKind, Usage, Wire } from "../types.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import { endWith } from "./end-with.ts";
import { copyAnswerHeaders, type HeaderList } from "./headers.ts";
import { type ErrorFormat, errorEvent } from "./reply.ts";
import type { Dial, Upstream } from "./upstream.ts";

/** Reads usage off a stream while it passes; see llm/usage-tap.ts. */
export interface StreamTap {
  /** The bytes that may go to the caller now. */
  push(chunk: Buffer): readonly Buffer[] | Buffer | null;
  /** The bytes held back (the terminal event on), and what the whole answer used. */
  finish(): { readonly rest: Buffer | null; readonly usage: Usage };
  /** What was used so far, estimated where the provider has not said. */
  usage(): Usage;
  /** The terminal event has been seen: nothing but the end should follow. */
  readonly terminal: boolean;
}

/** Tells what an answer used. */
export interface Meter {
  /** For an event stream. */
  tap(): StreamTap;
  /** For a body in one piece, or the part of it that came. */
  whole(body: Buffer): Usage;
}

/** What to send, and how to read what comes back. */
export interface ExchangeRequest {
  readonly id: string;
  readonly wire: Wire;
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly meter: Meter;
  /** Our own headers for the answer. */
  readonly answerHeaders: HeaderList;
}

/** Limits on an exchange, in milliseconds and bytes. */
export interface ExchangeLimits {
  /** Until the answer's head has come. */
  readonly firstByteMs: number;
  /** Between two chunks of the answer, or while a caller does not read. */
  readonly idleMs: number;
  /** The largest answer that is collected (event streams are not). */
  readonly answerBytesMax: number;
}

/** What an exchange needs of its surroundings. */
export interface ExchangeContext {
  readonly upstream: Upstream;
  readonly deadlines: Deadlines;
  readonly limits: ExchangeLimits;
  readonly monotonicMs: () => number;
  readonly errorFormat: ErrorFormat;
}

/** How an exchange ended; its last bytes are not sent yet. */
export interface Forwarded {
  readonly kind: OutcomeKind;
  /** The status the caller gets; 499 when it has left. */
  readonly status: number;
  /** null when the provider cannot have billed anything. */
  readonly usage: Usage | null;
  readonly responseBytes: number;
  /** On the monotonic clock; null when no answer came. */
  readonly firstByteAtMs: number | null;
  /** What went wrong; to be sent as the answer when nothing has been sent yet. */
  readonly error: GatewayError | null;
  /** Sends what was held back and ends the answer. To be called once, after settling, unless `error` was sent instead. */
  finish(headers: HeaderList): void;
}

/** After a terminal event, how long the upstream may take to end its answer. */
const AFTER_TERMINAL_MS = 250;

/** Forwards; resolves, never rejects, when the outcome is known. */
export function forward(context: ExchangeContext, request: ExchangeRequest, res: ServerResponse): Promise<Forwarded> {
  return new Promise((resolve) => new Exchange(context, request, res, resolve).start());
}

class Exchange implements Dial, Deadline {
  readonly method = "POST";
  readonly url: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly socket: Socket;
  deadlineMs: number;
  slot = -1;
  readonly #context: ExchangeContext;
  readonly #request: ExchangeRequest;
  readonly #res: ServerResponse;
  readonly #resolve: (forwarded: Forwarded) => void;
  readonly #onCallerGone = (): void => this.#callerGone();
  #upstreamRequest: ClientRequest | null = null;
  #answer: IncomingMessage | null = null;
  #tap: StreamTap | null = null;
  #collected: Buffer[] = [];
  #bytes = 0;
  #firstByteAtMs: number | null = null;
  #retried = false;
  #over = false;

  constructor(
    context: ExchangeContext,
    request: ExchangeRequest,
    res: ServerResponse,
    resolve: (forwarded: Forwarded) => void,
  ) {
    this.#context = context;
    this.#request = request;
    this.#res = res;
    this.#resolve = resolve;
    this.url = request.path;
    this.headers = request.headers;
    this.body = request.body;
    this.socket = res.req.socket;
    this.deadlineMs = context.monotonicMs() + context.limits.firstByteMs;
  }

  start(): void {
    if (this.#res.destroyed) {
      this.#end("client_closed", 499, null, null);
      return;
    }
    this.#res.once("close", this.#onCallerGone);
    this.#context.deadlines.add(this);
    this.#context.upstream.send(this, this.#res);
  }

  onDialled(request: ClientRequest): void {
    this.#upstreamRequest = request;
  }

  onError(error: NodeJS.ErrnoException, request: ClientRequest): void {
    if (this.#over) return;
    if (this.#mayRetry(error, request)) {
      this.#retried = true;
      this.#context.upstream.send(this, this.#res);
      return;
    }
    const cause = new GatewayError("upstream_unreachable", "The provider could not be reached", {
      cause: error,
      retryAfterSeconds: 1,
    });
    this.#end("upstream_error", cause.status, null, cause);
  }

  /** A pooled connection that the upstream had just closed: nothing was answered, and the body is at hand. */
  #mayRetry(error: NodeJS.ErrnoException, request: ClientRequest): boolean {
    const stale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
    return stale && !this.#retried && !this.#res.destroyed;
  }

  onAnswer(answer: IncomingMessage): void {
    // The answer's own 'close' tells how it ended; without a listener its 'error' would end the process.
    answer.on("error", () => undefined);
    if (this.#over) {
      answer.destroy();
      return;
    }
    this.#answer = answer;
    this.#firstByteAtMs = this.#alive();
    answer.once("close", () => this.#safely(() => this.#upstreamGone()));
    if (!isEventStream(answer)) this.#collect(answer);
    else if (isCoded(answer)) this.#break("The provider's stream is in a content coding that was not asked for");
    else this.#relay(answer);
  }

  /** An event stream passes as it comes, with back-pressure. */
  #relay(answer: IncomingMessage): void {
    const tap = this.#request.meter.tap();
    this.#tap = tap;
    this.#res.writeHead(answer.statusCode ?? 200, this.#answerHead(answer));
    setImmediate(() => {
      if (this.#bytes === 0 && !this.#over) this.#res.flushHeaders();
    });
    answer.on("data", (chunk: Buffer) => this.#safely(() => this.#onChunk(chunk, tap, answer)));
    answer.once("end", () => this.#safely(() => this.#complete(answer)));
  }

  #onChunk(chunk: Buffer, tap: StreamTap, answer: IncomingMessage): void {
    if (this.#over) return;
    this.#alive();
    this.#pass(tap.push(chunk), answer);
    if (tap.terminal) this.#expectEnd();
  }

  #pass(bytes: readonly Buffer[] | Buffer | null, answer: IncomingMessage): void {
    if (bytes === null) return;
    for (const chunk of Buffer.isBuffer(bytes) ? [bytes] : (bytes as readonly Buffer[])) {
      this.#bytes += chunk.length;
      if (this.#res.write(chunk) || answer.isPaused()) continue;
      answer.pause();
      this.#res.once("drain", () => {
        this.#alive();
        answer.resume();
      });
    }
  }

  /** The caller waits for the end from here on, and some upstreams keep the connection open. */
  #expectEnd(): void {
    const soon = this.#context.monotonicMs() + AFTER_TERMINAL_MS;
    this.deadlineMs = Math.min(this.deadlineMs, soon);
  }

  #collect(answer: IncomingMessage): void {
    answer.on("data", (chunk: Buffer) => {
      this.#alive();
      this.#bytes += chunk.length;
      this.#collected.push(chunk);
      if (this.#bytes > this.#context.limits.answerBytesMax) this.#break("The provider's answer is too large");
    });
    answer.once("end", () => this.#safely(() => this.#complete(answer)));
  }

  #complete(answer: IncomingMessage): void {
    if (this.#over || !answer.complete) return;
    if (this.#tap !== null) this.#completeStream(this.#tap);
    else this.#completeBody(answer, answer.statusCode ?? 200);
  }

  #completeStream(tap: StreamTap): void {
    const { rest, usage } = tap.finish();
    this.#bytes += rest?.length ?? 0;
    this.#end("completed", this.#answer?.statusCode ?? 200, usage, null, () => this.#res.end(rest ?? undefined));
  }

  #completeBody(answer: IncomingMessage, status: number): void {
    const body = this.#body();
    const ok = isSuccess(answer);
    const head = this.#answerHead(answer);
    if (!ok) head.push("x-tollgate-error-source", "upstream");
    const usage = ok ? this.#request.meter.whole(body) : null;
    this.#end(ok ? "completed" : "upstream_error", status, usage, null, (headers) => {
      this.#res.writeHead(status, [...head, ...headers, "content-length", String(body.length)]);
      endWith(this.#res, body);
    });
  }

  #body(): Buffer {
    return this.#collected.length === 1 ? (this.#collected[0] as Buffer) : Buffer.concat(this.#collected, this.#bytes);
  }

  #answerHead(answer: IncomingMessage): string[] {
    const head = [...this.#request.answerHeaders];
    copyAnswerHeaders(answer.headers, head);
    return head;
  }

  /**
   * What has been used when the answer does not reach its end: the provider may bill for it. null while the connection
   * is being made (it has seen nothing) and when it answered with an error.
   */
  #usageSoFar(): Usage | null {
    const sent = this.#upstreamRequest?.socket?.connecting === false;
    if (!sent || (this.#answer !== null && !isSuccess(this.#answer))) return null;
    try {
      return this.#tap === null ? this.#request.meter.whole(this.#body()) : this.#tap.usage();
    } catch {
      return this.#roughUsage();
    }
  }

  /** A token is about four bytes: for when nothing better is to be had. */
  #roughUsage(): Usage {
    const [inputTokens, outputTokens] = [Math.ceil(this.body.length / 4), Math.ceil(this.#bytes / 4)];
    return { inputTokens, outputTokens, cachedInputTokens: 0, cacheWriteTokens: 0, estimated: true };
  }

  /** A fault of ours while an answer is read ends this request, with a charge, and not the process. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (cause) {
      if (this.#over) return;
      const error = new GatewayError("internal_error", undefined, { cause });
      this.#end("upstream_error", error.status, this.#usageSoFar(), error, () => this.#res.destroy());
      this.#abandon();
    }
  }

  #upstreamGone(): void {
    if (!this.#over && this.#answer?.complete !== true) this.#break("The provider's answer broke off");
  }

  #break(message: string): void {
    this.#fail("upstream_error", new GatewayError("upstream_broken", message));
  }

  #callerGone(): void {
    if (this.#over) return;
    this.#end("client_closed", 499, this.#usageSoFar(), null);
    this.#abandon();
  }

  expire(): void {
    if (this.#over) return;
    const tap = this.#tap;
    if (tap?.terminal === true) this.#safely(() => this.#completeLate(tap));
    else this.#fail("timeout", new GatewayError("upstream_timeout"));
  }

  /** The terminal event came and the end did not: the answer is whole all the same. */
  #completeLate(tap: StreamTap): void {
    this.#completeStream(tap);
    this.#abandon();
  }

  /** Ends an exchange that was answered in part, or not in time. A stream that has begun ends with an error event. */
  #fail(kind: OutcomeKind, error: GatewayError): void {
    const usage = this.#usageSoFar();
    const { id, wire } = this.#request;
    this.#end(kind, this.#res.headersSent ? (this.#answer?.statusCode ?? 200) : error.status, usage, error, () => {
      this.#res.write(errorEvent(error, wire, this.#context.errorFormat, id), () => this.#res.destroy());
    });
    this.#abandon();
  }

  /** Closes the connection to the upstream: it must not go on producing what nobody reads. */
  #abandon(): void {
    this.#answer?.destroy();
    this.#upstreamRequest?.destroy();
  }

  #alive(): number {
    const now = this.#context.monotonicMs();
    this.deadlineMs = now + this.#context.limits.idleMs;
    return now;
  }

  #end(
    kind: OutcomeKind,
    status: number,
    usage: Usage | null,
    error: GatewayError | null,
    finish: Forwarded["finish"] = () => undefined,
  ): void {
    this.#over = true;
    this.#context.deadlines.remove(this);
    this.#res.off("close", this.#onCallerGone);
    this.#resolve({
      kind,
      status,
      usage,
      responseBytes: this.#bytes,
      firstByteAtMs: this.#firstByteAtMs,
      error,
      finish,
    });
  }
}

function isSuccess(answer: IncomingMessage): boolean {
  const status = answer.statusCode ?? 0;
  return status >= 200 && status < 300;
}

function isEventStream(answer: IncomingMessage): boolean {
  return isSuccess(answer) && answer.headers["content-type"]?.startsWith("text/event-stream") === true;
}

function isCoded(answer: IncomingMessage): boolean {
  const coding = answer.headers["content-encoding"];
  return coding !== undefined && coding !== "identity";
}
