// The way back: requests drained, servers closed, and everything that was opened.
import type { Server } from "node:http";
import type { Logger } from "pino";
import type { Pipeline } from "./pipeline.ts";

/** After the drain deadline, how long cut requests may take to settle, milliseconds. */
const CUT_SETTLE_MS = 5_000;

/** Lets what is under way finish; what is not done by the deadline is cut, and settles as cut. */
export async function drain(pipeline: Pipeline, server: Server, drainMs: number): Promise<void> {
  pipeline.draining = true;
  server.close();
  server.closeIdleConnections();
  await until(() => pipeline.active === 0, drainMs);
  server.closeAllConnections();
  await until(() => pipeline.active === 0, CUT_SETTLE_MS);
}

/** Closes everything, last opened first; one that fails is logged and the others get their turn. */
export async function closeAll(closers: (() => unknown)[], log: Logger): Promise<void> {
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      log.error({ err: error }, "not everything could be closed");
    }
  }
}

async function until(isTrue: () => boolean, withinMs: number): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!isTrue() && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Closes them and their connections. */
export function closeServers(...servers: readonly Server[]): Promise<unknown> {
  return Promise.all(
    servers.map((server) => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      return closed;
    }),
  );
}

/** Does the work at the first call; later ones get the same promise. */
export function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => {
    running ??= work();
    return running;
  };
}
