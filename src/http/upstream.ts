// One provider's connections: an http-proxy-3 server with its own keep-alive agent and a lean last pass.
import http, { type Agent, type ClientRequest, type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { createProxyServer, type ProxyServer } from "http-proxy-3";
import { createAgent } from "./agent.ts";
import { endWith } from "./end-with.ts";
import type { HeaderList } from "./headers.ts";

/**
 * What http-proxy-3 takes for the caller's request. It is not the caller's: only what the gateway has checked is in
 * it, so nothing else can leak upstream (framing, credentials, hop-by-hop fields).
 */
export interface Dial {
  readonly method: string;
  /** The whole upstream path. */
  readonly url: string;
  /** All header fields, `content-length` and `host` included. */
  readonly headers: HeaderList;
  /** The caller's socket. */
  readonly socket: Socket;
  readonly body: Buffer;
  onDialled(request: ClientRequest): void;
  onAnswer(answer: IncomingMessage): void;
  /** `request` ended without an answer. Called once a request. */
  onError(error: NodeJS.ErrnoException, request: ClientRequest): void;
}

/** How connections to a provider are kept. */
export interface UpstreamOptions {
  /** An unused connection is closed after this long; below the 5 s at which many servers close theirs. */
  readonly freeSocketTimeoutMs?: number;
  /** Idle connections kept for the next request. */
  readonly freeSocketsMax?: number;
}

/** Dials one provider. */
export class Upstream {
  readonly origin: URL;
  readonly #agent: Agent;
  readonly #proxy: ProxyServer;

  constructor(origin: URL, { freeSocketTimeoutMs = 4_000, freeSocketsMax = 1_024 }: UpstreamOptions = {}) {
    this.origin = origin;
    const secure = origin.protocol === "https:";
    this.#agent = createAgent(secure, freeSocketTimeoutMs, freeSocketsMax);
    this.#proxy = createProxyServer({ target: origin, agent: this.#agent, selfHandleResponse: true });
    this.#proxy.before("web", "stream", dialPass(origin, this.#agent) as never);
  }

  /** Sends the dial's request; its `on…` methods are called back. `res` closing early aborts it. */
  send(dial: Dial, res: ServerResponse): void {
    this.#proxy.web(dial as unknown as IncomingMessage, res);
  }

  /** Closes every connection, used ones too. */
  close(): void {
    this.#agent.destroy();
  }
}

/**
 * The pass that stands before http-proxy-3's own `stream` pass and ends the chain. It sends the checked request as it
 * is: no copies of options and headers, no URL parsing, one write, and every way for a request to end without an
 * answer (an error, a close without one, an unsolicited 101) is told.
 */
function dialPass(origin: URL, agent: Agent): (dial: Dial, res: ServerResponse) => true {
  const { request } = origin.protocol === "https:" ? https : http;
  const host = origin.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = origin.port || (origin.protocol === "https:" ? 443 : 80);
  return (dial, res) => {
    const { method, url: path, headers } = dial;
    const upstreamRequest = request({ agent, host, port, method, path, headers });
    let told = false;
    const fail = (error?: NodeJS.ErrnoException): void => {
      if (told) return;
      told = true;
      dial.onError(error ?? Object.assign(new Error("closed without an answer"), { code: "ECLOSED" }), upstreamRequest);
    };
    upstreamRequest.once("response", (answer) => {
      told = true;
      dial.onAnswer(answer);
    });
    upstreamRequest.on("error", fail);
    upstreamRequest.once("close", fail);
    res.once("close", () => {
      if (!res.writableFinished) upstreamRequest.destroy();
    });
    dial.onDialled(upstreamRequest);
    endWith(upstreamRequest, dial.body);
    return true;
  };
}
