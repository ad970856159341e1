// Long work as small steps, so that a large rule set is loaded between requests and not instead of them.
import { setImmediate as nextTurn } from "node:timers/promises";

/** Work that may be interrupted at each `yield`. */
export type Steps<Result> = Generator<void, Result, void>;

/** Does all of it at once. */
export function finish<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Does it in slices of so many milliseconds; what else the event loop has to do is done between them. */
export async function finishInSlices<Result>(steps: Steps<Result>, sliceMs: number): Promise<Result> {
  let until = performance.now() + sliceMs;
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() < until) continue;
    await nextTurn();
    until = performance.now() + sliceMs;
  }
}
