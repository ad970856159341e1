// One HTTP call of the client: time-out, retries of what may be repeated, errors read in whatever dialect they come.
import { ApiError, apiError, ConnectionError, TimeoutError, TollgateError, UnexpectedAnswerError } from "./errors.ts";

/** What every client is made with. */
export interface ClientOptions {
  /** Where the gateway listens: `http://127.0.0.1:4001`. A path before the API's own is kept. */
  readonly baseUrl: string;
  /** Milliseconds until the answer must be there, of a stream its headers; each try by itself. 30,000 when left out. */
  readonly timeoutMs?: number;
  /** How often a call that changes nothing when it is repeated is tried again. 2 when left out. */
  readonly retriesMax?: number;
  /** In place of the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** What a single call may be given. */
export interface CallOptions {
  /** Ends the call, and its retries. */
  readonly signal?: AbortSignal;
  /** In place of the client's own. */
  readonly timeoutMs?: number;
}

/** A request before it is sent. */
export interface Wanted {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From the API's root, its parameters filled in: see `pathOf`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** May be sent again after a failure: so it is for all methods but POST and PATCH when left out. */
  readonly isRepeatable?: boolean;
}

/** Longest that a retry waits, milliseconds: who is told to wait longer is told at once. */
const WAIT_MS_MAX = 10_000;
const FIRST_WAIT_MS = 200;
const AGAIN: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Sends calls with the credential's headers. */
export class Transport {
  readonly #root: string;
  readonly #timeoutMs: number;
  readonly #retriesMax: number;
  readonly #fetch: typeof fetch;
  readonly #headers: Readonly<Record<string, string>>;

  /** @throws TypeError when `baseUrl` is none */
  constructor(options: ClientOptions, headers: Readonly<Record<string, string>>) {
    const { baseUrl, timeoutMs = 30_000, retriesMax = 2 } = options;
    const url = new URL(baseUrl);
    if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError("baseUrl must be http or https");
    if (url.username !== "" || url.password !== "") throw new TypeError("baseUrl must hold no credential");
    this.#root = `${url.origin}${url.pathname.replace(/\/$/, "")}`;
    this.#timeoutMs = timeoutMs;
    this.#retriesMax = retriesMax;
    this.#fetch = options.fetch ?? fetch;
    this.#headers = headers;
  }

  /** The body of a good answer, as JSON; undefined where there is none. @throws TollgateError */
  async json<Reply>(wanted: Wanted, options: CallOptions = {}): Promise<Reply> {
    return (await this.answer<Reply>(wanted, options)).body;
  }

  /** The same with the answer's headers. */
  async answer<Reply>(
    wanted: Wanted,
    options: CallOptions = {},
  ): Promise<{ readonly body: Reply; readonly headers: Headers }> {
    return this.#retrying(wanted, options, async (answer) => {
      const { status, headers } = answer;
      const body = status === 204 ? undefined : parsed(await answer.text());
      if (status !== 204 && body === undefined) throw notTollgate(this.#root, answer);
      return { body: body as Reply, headers };
    });
  }

  /** A good answer, its body unread: it may take as long as it does. @throws TollgateError */
  async stream(wanted: Wanted, options: CallOptions = {}): Promise<Response> {
    return this.#retrying(wanted, options, async (answer) => answer);
  }

  async #retrying<T>(wanted: Wanted, options: CallOptions, read: (answer: Response) => Promise<T>): Promise<T> {
    const { isRepeatable = wanted.method !== "POST" && wanted.method !== "PATCH" } = wanted;
    for (let retriesLeft = isRepeatable ? this.#retriesMax : 0; ; retriesLeft -= 1) {
      try {
        return await this.#once(wanted, options, read);
      } catch (error) {
        const waitMs = retriesLeft > 0 ? waitAfter(error, this.#retriesMax - retriesLeft) : null;
        if (waitMs === null) throw error;
        await pause(waitMs, options.signal);
      }
    }
  }

  async #once<T>(
    { method, path, query, body, headers }: Wanted,
    { signal, timeoutMs }: CallOptions,
    read: (answer: Response) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const limitMs = timeoutMs ?? this.#timeoutMs;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), limitMs);
    try {
      const answer = await this.#fetch(this.#root + path + searchOf(query), {
        method,
        headers: { accept: "application/json", ...bodyHeaders(body), ...this.#headers, ...headers },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
        redirect: "manual",
      });
      if (answer.ok) return await read(answer);
      throw await errorOf(answer, this.#root);
    } catch (error) {
      if (error instanceof TollgateError) throw error;
      signal?.throwIfAborted();
      if (late.signal.aborted) throw new TimeoutError(`${this.#root} did not answer within ${limitMs} ms`, error);
      throw new ConnectionError(`${this.#root} cannot be reached: ${reasonOf(error)}`, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A path with its parameters, percent-encoded: `pathOf("/-/keys/{id}", { id })`. */
export function pathOf(template: string, params: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_all, name: string) => segment(name, params[name] ?? ""));
}

/** `.` and `..` would be taken out of the path by every URL reader. */
function segment(name: string, value: string): string {
  if (value === "" || value === "." || value === "..") throw new TypeError(`\`${name}\` cannot be \`${value}\``);
  return encodeURIComponent(value);
}

function searchOf(query: Wanted["query"]): string {
  const given = Object.entries(query ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as const],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(Object.fromEntries(given))}`;
}

function bodyHeaders(body: unknown): Record<string, string> {
  return body === undefined ? {} : { "content-type": "application/json" };
}

/** How long to wait before the next try, milliseconds; null when there is to be none. */
function waitAfter(error: unknown, tried: number): number | null {
  const waitMs = FIRST_WAIT_MS * 2 ** tried * (0.5 + Math.random());
  if (error instanceof ConnectionError || error instanceof TimeoutError) return waitMs;
  if (!(error instanceof ApiError) || !AGAIN.has(error.status)) return null;
  if (error.retryAfterSeconds === null) return error.status === 429 ? null : waitMs;
  const askedMs = error.retryAfterSeconds * 1_000;
  return askedMs > WAIT_MS_MAX ? null : Math.max(askedMs, waitMs);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** The gateway's own API says `detail` (RFC 9457, and the team API), the LLM paths `error.message`. */
async function errorOf(answer: Response, root: string): Promise<TollgateError> {
  const json = parsed(await answer.text());
  const { detail, error, code, field, diagnostics } = (json ?? {}) as {
    readonly detail?: unknown;
    readonly error?: { readonly message?: unknown; readonly code?: unknown; readonly param?: unknown };
    readonly code?: unknown;
    readonly field?: unknown;
    readonly diagnostics?: unknown;
  };
  const message = textOf(detail) ?? textOf(error?.message);
  if (message === null) return notTollgate(root, answer);
  const seconds = Number(answer.headers.get("retry-after") ?? "none");
  return apiError(message, {
    status: answer.status,
    code: textOf(code) ?? textOf(error?.code),
    field: textOf(field) ?? textOf(error?.param),
    requestId: answer.headers.get("x-request-id"),
    diagnostics: Array.isArray(diagnostics) ? diagnostics : [],
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : null,
  });
}

function notTollgate(root: string, { status }: Response): UnexpectedAnswerError {
  return new UnexpectedAnswerError(`what answers at ${root} is no Tollgate API: status ${status}, and not its JSON`);
}

function parsed(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** `fetch` hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  const inner = cause as (Error & { code?: string }) | undefined;
  return inner?.code ?? inner?.message ?? message;
}
