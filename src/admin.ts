// The admin listener: the gateway's own commands and the plugins' routes, behind the admin key.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { GatewayError } from "./errors.ts";
import { errorBody, errorHeaders, sendJson } from "./http/reply.ts";
import { plainPath } from "./http/request-target.ts";
import type { Handler } from "./http/server.ts";
import type { AdminRoute } from "./plugin.ts";
import { newRequestId } from "./request-id.ts";

/** What guards the admin listener. */
export interface AdminAccess {
  readonly key: string;
  /** Paths that are served without it. */
  readonly open: readonly string[];
}

/** Serves the routes to whoever sends the key as `Authorization: Bearer` or `X-Admin-Key`. */
export function createAdminHandler(routes: readonly AdminRoute[], { key, open }: AdminAccess, log: Logger): Handler {
  const expected = digest(key);
  return async (req, res) => {
    try {
      if (!open.includes(plainPath(req.url) ?? "") && !timingSafeEqual(digest(credential(req)), expected)) {
        throw new GatewayError("invalid_api_key", "The admin key is missing or wrong");
      }
      await find(routes, req).handle(req, res);
    } catch (error) {
      answerError(error, res, log);
    }
  };
}

function credential(req: IncomingMessage): string {
  const own = req.headers["x-admin-key"];
  return typeof own === "string" ? own : (req.headers.authorization ?? "").replace(/^Bearer +/i, "");
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function find(routes: readonly AdminRoute[], req: IncomingMessage): AdminRoute {
  const path = plainPath(req.url);
  const there = routes.filter((route) => route.path === path);
  const route = there.find(({ method }) => method === req.method);
  if (route !== undefined) return route;
  if (there.length === 0) throw new GatewayError("not_found");
  const allow = there.map(({ method }) => method).join(", ");
  throw new GatewayError("method_not_allowed", `${path} takes ${allow}`, { headers: { allow } });
}

function answerError(error: unknown, res: ServerResponse, log: Logger): void {
  const id = newRequestId(Date.now());
  const known = error instanceof GatewayError;
  if (!known) log.error({ err: error, request_id: id }, "a fault in an admin route");
  const shown = known ? error : new GatewayError("internal_error");
  if (res.headersSent) res.destroy();
  else
    sendJson(res, shown.status, errorBody(shown, "openai", "openai", id), {
      "x-request-id": id,
      ...errorHeaders(shown),
    });
}
