// Reads a request's body once, whole, within a limit.
import type { IncomingMessage } from "node:http";
import { GatewayError } from "../errors.ts";

/** True when the request announces a body (RFC 9112 6). */
export function hasBody(req: IncomingMessage): boolean {
  return req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
}

/**
 * The body's bytes.
 * @throws GatewayError `request_too_large` as soon as the limit is passed (at once when content-length says so);
 *   `invalid_request` for a content coding, and with status 499 for a body that breaks off: its caller has left
 */
export function readBody(req: IncomingMessage, bodyBytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = Number(req.headers["content-length"] ?? 0);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > bodyBytesMax) fail(tooLarge(bodyBytesMax));
    };
    const fail = (error: unknown): void => {
      req.off("data", onData);
      discard(req, 2 * bodyBytesMax - bytes);
      reject(error);
    };
    if (announced > bodyBytesMax) return fail(tooLarge(bodyBytesMax));
    if (isEncoded(req)) return fail(new GatewayError("invalid_request", "A request body must not be compressed"));
    req.on("data", onData);
    req.once("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes)));
    req.once("error", () => fail(brokenOff()));
    req.once("close", () => {
      if (!req.complete) fail(brokenOff());
    });
  });
}

/**
 * Throws the rest of a refused body away, so that a caller that is still sending reads the answer, and may send the
 * next request; one that goes on for more than `bytesMax` is cut off.
 */
export function discard(req: IncomingMessage, bytesMax: number): void {
  let bytes = 0;
  req.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) req.destroy();
  });
}

function isEncoded(req: IncomingMessage): boolean {
  const coding = req.headers["content-encoding"];
  return coding !== undefined && coding !== "" && coding !== "identity";
}

function brokenOff(): GatewayError {
  return new GatewayError("invalid_request", "The request body broke off", { status: 499 });
}

function tooLarge(bodyBytesMax: number): GatewayError {
  return new GatewayError("request_too_large", `The request body is larger than ${bodyBytesMax} bytes`);
}
