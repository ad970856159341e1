// Waiting for something that happens soon, with a deadline in place of a sleep.

/** How often it is looked at, milliseconds. */
const LOOK_EVERY_MS = 5;

/** Resolves with the first value that is not false, null or undefined; rejects, naming `what`, after `withinMs`. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 5_000,
): Promise<Exclude<T, false | null | undefined>> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== false && found !== null && found !== undefined) return found as Exclude<T, false | null | undefined>;
    if (performance.now() > deadlineMs) throw new Error(`within ${withinMs} ms this did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
