// `durability`, seen from the kernel: with `full` all that settles in a turn shares one fsync, with `normal` there is none.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { EACH, TURNS } from "./settle-turns.ts";

const CHILD = join(import.meta.dirname, "settle-turns.ts");
/** False without strace, and where a process may not be traced. */
const CAN_TRACE = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

/** The files that were synced while the process settled, in order. */
function synced(t: Test, durability: string): readonly string[] {
  const directory = t.testdir({});
  const trace = join(directory, "trace");
  const calls = ["-f", "-y", "-o", trace, "-e", "trace=fsync,fdatasync,write"];
  const node = [process.execPath, CHILD, join(directory, "tollgate.db"), durability];
  // Without the loaders that tap puts into the environment.
  const ran = spawnSync("strace", [...calls, "env", "-i", ...node], { encoding: "utf8" });
  t.equal(ran.status, 0, ran.stderr);
  const [, during = ""] = /"begin\\n"(.*)"end\\n"/s.exec(readFileSync(trace, "utf8")) ?? [];
  t.ok(during.length > 0);
  return [...during.matchAll(/\bf(?:data)?sync\(\d+<.*\/([\w.-]+)>/g)].map(([, name = ""]) => name);
}

t.test(`${EACH} settlements in a turn share one fsync of the journal`, { skip: !CAN_TRACE }, async (t) => {
  const journal = synced(t, "full").filter((name) => name === "tollgate.db-wal");
  t.equal(journal.length, TURNS);
});

t.test("without it, nothing waits for the disk", { skip: !CAN_TRACE }, async (t) => {
  t.same(synced(t, "normal"), []);
});
