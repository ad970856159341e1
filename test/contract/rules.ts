// The contract that every store keeps: the last good rule set of each rules directory.
import { open, type Suite } from "./rig.ts";

const SET = { hash: "a".repeat(64), files: [{ name: "rules/ä.rules", text: "default allow\n# \u0000 😀\n" }] };
const NEXT = { hash: "b".repeat(64), files: [] };

/** The kept rules. */
export const rules: Suite = {
  "what was kept last comes back, for its own directory, and to other processes": async (t, fresh) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const { store: other } = open(t, () => database, clock);
    t.equal(other.rules.kept("/etc/rules"), null);
    store.rules.keep("/etc/rules", SET);
    t.strictSame(other.rules.kept("/etc/rules"), { ...SET, keptMs: clock.nowMs() });
    t.equal(other.rules.kept("/etc/rules/"), null);
    other.rules.keep("/etc/rules", NEXT);
    t.strictSame(store.rules.kept("/etc/rules"), { ...NEXT, keptMs: clock.nowMs() });
  },

  "the same set again is not written: its time is that of the first": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const first = clock.nowMs();
    store.rules.keep("/etc/rules", SET);
    clock.advance(1_000);
    store.rules.keep("/etc/rules", SET);
    t.equal(store.rules.kept("/etc/rules")?.keptMs, first);
    store.rules.keep("/etc/rules", NEXT);
    t.equal(store.rules.kept("/etc/rules")?.keptMs, first + 1_000);
  },
};
