// What an `@name` stands for in this load, and whether what was checked in the last one still stands.
import type { CheckSet, LetEntry } from "./check-context.ts";
import type { StatementMemo } from "./check-memory.ts";
import type { Zone } from "./local-time.ts";

/** Checks the condition of a `let` once a load. While that lasts its state is `open`. */
export function resolveLet(set: CheckSet, entry: LetEntry): void {
  if (entry.state !== "new") return;
  entry.state = "open";
  const { slot, place } = entry;
  if (slot.memo === null || !stillHolds(set, slot.memo, place.zone)) {
    const { result: cond, log } = set.record(entry.check);
    entry.checked = { log, zone: place.zone, attributes: set.vocabulary.attributes, rules: [], cond };
    slot.memo = cond !== null && log.isKept ? entry.checked : null;
  } else entry.checked = slot.memo;
  entry.state = "done";
}

/** Whether a statement would be checked as it was, but for where it stands. */
export function stillHolds(set: CheckSet, { log, zone, attributes }: StatementMemo, at: Zone): boolean {
  if (zone !== at || attributes !== set.vocabulary.attributes) return false;
  for (const [attribute, values] of log.values) if (attribute.known?.values(set.vocabulary) !== values) return false;
  for (const [name, meaning] of log.lets) {
    const entry = set.lets.get(name);
    if (entry === undefined || meaningOf(set, entry) !== meaning) return false;
  }
  return true;
}

/** The same object for as long as the name means the same; null while that is not known. */
export function meaningOf(set: CheckSet, entry: LetEntry): object | null {
  if (entry.node.value.kind === "list") return entry.slot;
  resolveLet(set, entry);
  return entry.checked;
}
