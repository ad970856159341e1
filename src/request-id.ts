// Request ids: unique across processes and restarts, sortable by time within a process, cheap.
import { randomBytes } from "node:crypto";

const PROCESS_BYTES = 5;
const PROCESS = randomBytes(PROCESS_BYTES).toString("hex");
let counter = 0;

/** A fresh id, e.g. `req_mi8w2k1f9c0d3e4a5b_1z`. */
export function newRequestId(nowMs: number): string {
  counter += 1;
  return `req_${nowMs.toString(36)}${PROCESS}_${counter.toString(36)}`;
}

/** When a request with that id arrived, milliseconds since the epoch; null for what is no id of ours. */
export function requestIdMs(id: string): number | null {
  const match = new RegExp(`^req_([0-9a-z]{1,10})[0-9a-f]{${PROCESS_BYTES * 2}}_[0-9a-z]+$`).exec(id);
  return match?.[1] === undefined ? null : Number.parseInt(match[1], 36);
}
