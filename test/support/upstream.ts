// A provider to script: answers each request as the test says, and remembers what it was sent.
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A request as the provider saw it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** Answers one request. */
export type Answer = (req: IncomingMessage, res: ServerResponse, body: string) => unknown;

/** A running provider. */
export interface ScriptedUpstream {
  readonly url: string;
  readonly seen: Seen[];
  /** Open connections. */
  readonly sockets: Set<Socket>;
  /** How many connections were made in all. */
  connections: number;
  answer: Answer;
  close(): Promise<void>;
}

/** A plain, complete chat completion. */
export const CHAT_ANSWER = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-4o-mini",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello!" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
};

/** Answers with JSON. */
export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (_req, res) => {
    res.writeHead(status, { "content-type": "application/json", ...headers });
    res.end(JSON.stringify(body));
  };

/** One event of a stream. */
export const event = (data: unknown): string => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

/** The events of a chat stream of `words`, its usage and its end. */
export function chatEvents(words: readonly string[], usage: object | null = CHAT_ANSWER.usage): string[] {
  const chunk = (choices: unknown, more: object = {}): string =>
    event({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices, ...more });
  return [
    ...words.map((content) => chunk([{ index: 0, delta: { content }, finish_reason: null }])),
    chunk([{ index: 0, delta: {}, finish_reason: "stop" }]),
    ...(usage === null ? [] : [chunk([], { usage })]),
    event("[DONE]"),
  ];
}

/** A plain, complete message. */
export const MESSAGE_ANSWER = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-haiku-4-5",
  content: [{ type: "text", text: "Hello!" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: 5 },
};

/** The events of a message stream of `words`, with the same usage. */
export function messageEvents(words: readonly string[]): string[] {
  const named = (data: { readonly type: string; readonly [name: string]: unknown }): string =>
    `event: ${data.type}\n${event(data)}`;
  const begun = { ...MESSAGE_ANSWER, content: [], stop_reason: null, usage: { input_tokens: 10, output_tokens: 1 } };
  return [
    named({ type: "message_start", message: begun }),
    named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
    ...words.map((text) => named({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })),
    named({ type: "content_block_stop", index: 0 }),
    named({
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: 5 },
    }),
    named({ type: "message_stop" }),
  ];
}

/** Answers with a stream, one write an event. */
export const stream =
  (events: readonly string[]): Answer =>
  async (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    for (const each of events) {
      res.write(each);
      await new Promise((resolve) => setImmediate(resolve));
    }
    res.end();
  };

/** Starts it on a free port. */
export async function startUpstream(answer: Answer = json(CHAT_ANSWER)): Promise<ScriptedUpstream> {
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const { method = "", url = "", headers, rawHeaders } = req;
      upstream.seen.push({ method, url, headers, rawHeaders, body });
      void upstream.answer(req, res, body);
    });
  });
  const upstream: ScriptedUpstream = {
    url: "",
    seen: [],
    sockets: new Set(),
    connections: 0,
    answer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  server.on("connection", (socket) => {
    upstream.connections += 1;
    upstream.sockets.add(socket);
    socket.on("close", () => upstream.sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, resolve));
  return Object.assign(upstream, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}
