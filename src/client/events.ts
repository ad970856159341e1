// Reads a streamed answer (server-sent events whose data is JSON) as an async iterator.
import { ConnectionError, ServerError, UnexpectedAnswerError } from "./errors.ts";

/** The most that one event may hold, characters: whatever sends more is not what we talk to. */
const EVENT_LENGTH_MAX = 16 * 1024 * 1024;

/**
 * The JSON of each event until `[DONE]`. Whoever stops early ends the request.
 * @throws ServerError for an error within the stream, ConnectionError when it breaks off
 */
export async function* eventsOf<Event>(answer: Response, signal?: AbortSignal): AsyncGenerator<Event, void> {
  for await (const data of dataOf(answer, signal)) {
    if (data === "[DONE]") return;
    yield read<Event>(data, answer);
  }
  throw new ConnectionError("the stream ended before its end");
}

function read<Event>(data: string, { status, headers }: Response): Event {
  let event: { readonly error?: { readonly message?: string; readonly code?: string | null } };
  try {
    event = JSON.parse(data);
  } catch (error) {
    throw new UnexpectedAnswerError("an event of the stream is no JSON", error);
  }
  if (typeof event?.error !== "object" || event.error === null) return event as Event;
  const { message = "the stream ended with an error", code = null } = event.error;
  const requestId = headers.get("x-request-id");
  throw new ServerError(message, { status, code, field: null, requestId, diagnostics: [], retryAfterSeconds: null });
}

/** The `data` of each event: WHATWG HTML, 9.2.6, of which only `data` and blank lines matter here. */
async function* dataOf({ body }: Response, signal: AbortSignal | undefined): AsyncGenerator<string, void> {
  if (body === null) return;
  let [rest, data]: [string, string | null] = ["", null];
  for await (const text of textOf(body, signal)) {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    if (rest.length + (data?.length ?? 0) > EVENT_LENGTH_MAX) throw new UnexpectedAnswerError("an event is too long");
    for (const line of lines) {
      if (line.startsWith("data:")) data = `${data === null ? "" : `${data}\n`}${line.slice(line[5] === " " ? 6 : 5)}`;
      else if (line === "" && data !== null) {
        yield data;
        data = null;
      }
    }
  }
}

async function* textOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: Error) => {
        signal?.throwIfAborted();
        throw new ConnectionError("the stream broke off", error);
      });
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    // Nothing is left of the request, however the reading ended.
    await reader.cancel().catch(() => undefined);
  }
}
