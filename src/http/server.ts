// A listener: node's HTTP server with limits set, a health answer, and clear words when the port is taken.
import http, { type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SetupError } from "../errors.ts";
import { sendJson } from "./reply.ts";

/** Serves one request. Must not throw. */
export type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

/** What a listener needs. */
export interface ServerOptions {
  /** For everything but health. */
  readonly handler: Handler;
  /** Why the gateway cannot serve now, or null when it can: what `/readyz` says. */
  readonly notReady: () => string | null;
  /** More facts for `/readyz?verbose`. */
  readonly facts: () => object | Promise<object>;
  /** Until a request's last byte has come, milliseconds. */
  readonly requestTimeoutMs: number;
}

/** Longer than the clients' pools keep an idle connection, so that they close first. */
const KEEP_ALIVE_MS = 75_000;
/** Connections that may wait to be accepted (the system may allow fewer): with node's 511 a burst of more is reset. */
const BACKLOG = 4_096;

/** Makes a server; `listenOn` opens it. */
export function createServer({ handler, notReady, facts, requestTimeoutMs }: ServerOptions): Server {
  const server = http.createServer((req, res) => {
    if (isHealthPath(req.url)) void sendHealth(req, res, notReady(), facts);
    else handler(req, res);
  });
  // Above its maximum node drops fields without a word; the handler counts them and answers 431 itself.
  server.maxHeadersCount = 0;
  server.requestTimeout = requestTimeoutMs;
  server.headersTimeout = Math.min(60_000, requestTimeoutMs);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

/**
 * Opens the server on an address and tells the URL it can be reached at.
 * @throws SetupError in one sentence when the address cannot be had
 */
export function listenOn(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new SetupError(whyNot(error, host, port), 1, error)));
    server.listen({ port, host, backlog: BACKLOG }, () => {
      const { port: taken } = server.address() as AddressInfo;
      resolve(`http://${host.includes(":") ? `[${host}]` : host}:${taken}`);
    });
  });
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  const where = `${host}:${port}`;
  if (error.code === "EADDRINUSE") {
    return `port ${port} on ${host} is in use: stop what listens there, or set another address in the config`;
  }
  if (error.code === "EACCES") return `not allowed to listen on ${where}: ports below 1024 need more rights`;
  if (error.code === "EADDRNOTAVAIL") return `cannot listen on ${where}: this machine has no such address`;
  return `cannot listen on ${where}: ${error.message}`;
}

function isHealthPath(url: string | undefined): boolean {
  return url === "/health" || url === "/livez" || url === "/readyz" || url === "/readyz?verbose";
}

/** `/livez` and `/health` say that the process runs; `/readyz` that it can serve. No provider is asked. */
async function sendHealth(
  req: IncomingMessage,
  res: ServerResponse,
  problem: string | null,
  facts: ServerOptions["facts"],
): Promise<void> {
  const asksReady = req.url?.startsWith("/readyz") === true;
  const healthy = !asksReady || problem === null;
  const body = healthy ? { status: "healthy" } : { status: "unavailable", reason: problem };
  const verbose = req.url === "/readyz?verbose" ? await facts() : {};
  sendJson(res, healthy ? 200 : 503, { ...body, ...verbose }, healthy ? {} : { "retry-after": "1" });
}
