// The built-in demo upstream: a local server that answers like OpenAI and Anthropic, without a model.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { anthropicDemo } from "./demo-anthropic.ts";
import { openaiDemo } from "./demo-openai.ts";
import { DemoRejection, type DemoWire, replyJson } from "./demo-reply.ts";

/** A running demo upstream. */
export interface Demo {
  /** Scheme, address and port, without a path. */
  readonly url: string;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/** The largest request body, in bytes. */
const BODY_BYTES_MAX = 33_554_432;
const KEEP_ALIVE_MS = 60_000;
/** Connections that may wait to be accepted; the kernel may allow fewer. */
const BACKLOG = 8_192;

const WIRES: ReadonlyMap<string, DemoWire> = new Map([
  ["POST /v1/chat/completions", openaiDemo],
  ["POST /v1/messages", anthropicDemo],
]);

/** Starts a demo upstream on a free port of 127.0.0.1; it needs no credential. */
export function startDemo(): Promise<Demo> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, handle);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Exclusive: with several workers each has a port of its own.
    server.listen({ host: "127.0.0.1", port: 0, backlog: BACKLOG, exclusive: true }, () => {
      const { port } = server.address() as AddressInfo;
      resolve({ url: `http://127.0.0.1:${port}`, close: () => close(server) });
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function handle(req: IncomingMessage, res: ServerResponse): void {
  const path = (req.url ?? "").split("?", 1)[0] ?? "";
  const wire = WIRES.get(`${req.method} ${path}`);
  if (wire !== undefined) collect(req, res, wire);
  else reject(res, wireOf(req, path), new DemoRejection(404, `Unknown request URL: ${req.method} ${path}`));
}

/** Whose error shape an unknown path gets. */
function wireOf(req: IncomingMessage, path: string): DemoWire {
  const anthropic = req.headers["anthropic-version"] !== undefined || path.startsWith("/v1/messages");
  return anthropic ? anthropicDemo : openaiDemo;
}

function collect(req: IncomingMessage, res: ServerResponse, wire: DemoWire): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  req.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
    else chunks.length = 0;
  });
  req.once("end", () => {
    if (bytes > BODY_BYTES_MAX) reject(res, wire, new DemoRejection(413, "The request is too large"));
    else answer(res, wire, Buffer.concat(chunks, bytes));
  });
}

function answer(res: ServerResponse, wire: DemoWire, body: Buffer): void {
  try {
    wire.answer(res, body);
  } catch (error) {
    if (!(error instanceof DemoRejection)) throw error;
    reject(res, wire, error);
  }
}

function reject(res: ServerResponse, wire: DemoWire, rejection: DemoRejection): void {
  replyJson(res, rejection.status, wire.errorBody(rejection));
}
