// What the demo's two wires share: how an answer, a stream and a rejection are sent.
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";

/** One provider's way to answer. */
export interface DemoWire {
  /** @throws DemoRejection when the request is not one that the provider would take */
  answer(res: ServerResponse, body: Buffer): void;
  /** The provider's error shape. */
  errorBody(rejection: DemoRejection): object;
}

/** A request that the demo refuses. */
export class DemoRejection extends Error {
  readonly status: number;
  /** The field at fault, or null. */
  readonly param: string | null;

  constructor(status: number, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

/** Letters and digits that look like the providers' ids; at most 32. */
export function demoId(length: number): string {
  return randomUUID().replaceAll("-", "").slice(0, length);
}

/** Sends a JSON answer in one piece. */
export function replyJson(res: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  res.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
  res.end(bytes);
}

/** Sends events one at a time, as fast as they are read; stops when the reader leaves. */
export function replyStream(res: ServerResponse, events: Iterator<string>): void {
  res.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  const step = (): void => {
    if (res.destroyed) return;
    const { value, done } = events.next();
    if (done === true) res.end();
    else if (res.write(value)) setImmediate(step);
    else res.once("drain", step);
  };
  step();
}
