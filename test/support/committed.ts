// Waits until what has been queued for the database is committed.
import { setImmediate as turn } from "node:timers/promises";

/** The store commits at the end of the next turn of the event loop. */
export async function committed(): Promise<void> {
  await turn();
  await turn();
}
