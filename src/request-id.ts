// Request ids: unique across processes and restarts, sortable by time within a process, cheap.
import { randomBytes } from "node:crypto";

const PROCESS = randomBytes(5).toString("hex");
let counter = 0;

/** A fresh id, e.g. `req_mi8w2k1f9c0d3e4a5b_1z`. */
export function newRequestId(nowMs: number): string {
  counter += 1;
  return `req_${nowMs.toString(36)}${PROCESS}_${counter.toString(36)}`;
}
