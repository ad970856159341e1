// The service on real directories: loading, hot reload, and every way that a rules directory is known to change.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import t from "tap";
import { createRuleService, type RuleServiceOptions } from "../../src/rules/engine.ts";
import type { RuleKeeper, RuleLoad, RuleService } from "../../src/rules/service.ts";
import type { Principal } from "../../src/types.ts";
import { CATALOGUE, call, MINI, NOW_MS, principal, target } from "./samples.ts";

/** A change is seen by event within 0.2 s, else by the poll; nothing takes longer. */
const DEADLINE_MS = 15_000;
const ALLOW = "default allow\n";
const DENY = "default allow\ndeny model gpt-4\n";
const BROKEN = "default allow\ndney model gpt-4\n";

type Test = Pick<typeof t, "teardown" | "match" | "ok">;

/** A service on a directory, and its loads one by one. */
class Bench {
  readonly service: RuleService;
  private readonly abort = new AbortController();
  private readonly loads: RuleLoad[] = [];
  private waiting: (() => void) | null = null;

  constructor(t: Test, directory: string) {
    const clock = { nowMs: () => NOW_MS, monotonicMs: () => performance.now() };
    this.service = createRuleService({ directory, catalogue: CATALOGUE, clock });
    t.teardown(() => this.abort.abort());
  }

  async start(): Promise<RuleLoad> {
    const load = await this.service.load();
    this.service.watch(this.abort.signal, (later) => {
      this.loads.push(later);
      this.waiting?.();
    });
    return load;
  }

  stop(): void {
    this.abort.abort();
  }

  /** The next load that is told. */
  async next(): Promise<RuleLoad> {
    const known = this.loads.shift();
    if (known !== undefined) return known;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const deadline = setTimeout(() => reject(new Error("no load was told in time")), DEADLINE_MS);
    this.waiting = resolve;
    await promise.finally(() => clearTimeout(deadline));
    return this.next();
  }

  get told(): number {
    return this.loads.length;
  }

  effect(by: Principal = principal()): string {
    return this.service.decide(call(), by).effect;
  }
}

t.test("before a load, and when the rules fault, every call is denied with policy_error", async (t) => {
  const bench = new Bench(t, t.testdir({ "a.rules": ALLOW }));
  t.match(bench.service.decide(call(), principal()), {
    effect: "deny",
    targets: [],
    denial: { code: "policy_error" },
    generation: 0,
  });
  await bench.service.load();
  t.equal(bench.effect(), "allow");
  const faulty = {
    get key(): never {
      throw new Error("a fault");
    },
  } as unknown as Principal;
  const logged: object[] = [];
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
  const service = createRuleService({
    directory: t.testdir({ "a.rules": "default allow\ndeny key x\n" }),
    catalogue: CATALOGUE,
    clock,
    log: { error: (fields) => logged.push(fields) },
  });
  t.equal((await service.load()).ok, true);
  t.match(service.decide(call(), faulty), { effect: "deny", denial: { code: "policy_error" } });
  t.match(logged, [{ err: { message: "a fault" } }]);
  t.match(service.decide({ ...call(), targets: [] }, principal()), {
    effect: "deny",
    denial: { code: "policy_error" },
  });
});

t.test("a load reports what is in force; the same files again are no change", async (t) => {
  const directory = t.testdir({
    rules: {
      "b.rules": "deny team ml\n",
      "a.rules": ALLOW,
      ".hidden.rules": "nonsense",
      "a.rules~": "nonsense",
      "notes.md": "nonsense",
      more: { "c.rules": "deny team search\n" },
    },
  });
  const { service } = new Bench(t, join(directory, "rules"));
  const first = await service.load();
  t.match(first, { ok: true, changed: true, generation: 1, files: 3, rules: 2, report: "", hash: /^[0-9a-f]{12}$/ });
  t.same(await service.load(), { ...first, changed: false });
  t.equal(service.decide(call(), principal({ team: "search" })).denial?.ruleId, "rules/more/c.rules:1");
  const both = await Promise.all([service.load(), service.load()]);
  t.same(
    both.map(({ generation }) => generation),
    [1, 1],
  );
});

t.test("a directory that is missing, empty or unreadable is an error that names it", async (t) => {
  const directory = t.testdir({ empty: {}, file: "x", bytes: { "a.rules": "" }, dangling: { "a.rules": ALLOW } });
  writeFileSync(join(directory, "bytes", "a.rules"), Buffer.from([0x64, 0xff, 0x0a]));
  symlinkSync(join(directory, "nowhere"), join(directory, "dangling", "b.rules"));
  const reportOf = async (name: string): Promise<string> => {
    const load = await new Bench(t, join(directory, name)).service.load();
    t.match(load, { ok: false, generation: 0, hash: "", files: 0 });
    return load.report;
  };
  t.match(await reportOf("missing"), /^error\[E218\]: the rules directory does not exist/);
  t.match(await reportOf("empty"), /^error\[E218\]: there is no rule file/);
  t.match(await reportOf("file"), /E218.*not a directory/s);
  t.match(await reportOf("bytes"), /E218.*not UTF-8\n.*bytes\/a\.rules/s);
  t.match(await reportOf("dangling"), /E218/, "all files or nothing");
});

t.test("the report of a file that is no rule file does not fill the log", async (t) => {
  const { service } = new Bench(t, t.testdir({ "a.rules": "nonsense\n".repeat(60) }));
  const { report } = await service.load();
  t.equal(report.match(/^error/gm)?.length, 50);
  t.match(report, /and 11 more: `tollgate check` shows all\n$/, "60 and the missing default");
});

t.test("a file with a byte order mark and CRLF is read", async (t) => {
  const { service } = new Bench(
    t,
    t.testdir({ "a.rules": "\ufeffdefault allow\r\ndeny model gpt-4\r\n  when price > 10\r\n" }),
  );
  t.match(await service.load(), { ok: true, rules: 1, report: "" });
});

t.test("ids of files with odd names fit into a header", async (t) => {
  const { service } = new Bench(t, join(t.testdir({ rüles: { "ä b\u0007.rules": DENY } }), "rüles"));
  await service.load();
  t.equal(service.decide(call(), principal()).denial?.ruleId, "r%C3%BCles/%C3%A4 b%07.rules:2");
});

t.test("an in-place edit, an atomic rename, a new and a deleted file are loaded", async (t) => {
  const directory = t.testdir({ "a.rules": ALLOW });
  const bench = new Bench(t, directory);
  await bench.start();
  writeFileSync(join(directory, "a.rules"), DENY);
  t.match(await bench.next(), { ok: true, changed: true, generation: 2, rules: 1 });
  t.equal(bench.effect(), "deny");
  for (const [i, text] of [ALLOW, DENY, ALLOW].entries()) {
    writeFileSync(join(directory, ".a.rules.tmp"), text);
    renameSync(join(directory, ".a.rules.tmp"), join(directory, "a.rules"));
    t.match(await bench.next(), { ok: true, generation: 3 + i });
  }
  t.equal(bench.effect(), "allow");
  writeFileSync(join(directory, "b.rules"), "deny team ml\n");
  t.match(await bench.next(), { ok: true, files: 2 });
  t.equal(bench.effect(principal({ team: "ml" })), "deny");
  unlinkSync(join(directory, "b.rules"));
  t.match(await bench.next(), { ok: true, files: 1 });
  t.equal(bench.effect(principal({ team: "ml" })), "allow");
});

t.test("a memoised decision does not outlive the rules that made it", async (t) => {
  const directory = t.testdir({ "a.rules": ALLOW });
  const bench = new Bench(t, directory);
  await bench.start();
  const by = principal();
  t.equal(bench.effect(by), "allow");
  writeFileSync(join(directory, "a.rules"), DENY);
  await bench.next();
  t.equal(bench.effect(by), "deny");
});

t.test("a broken edit keeps the last good set whole, and says so once", async (t) => {
  const directory = t.testdir({ "a.rules": DENY, "b.rules": "deny team ml\n" });
  const bench = new Bench(t, directory);
  const { hash } = await bench.start();
  writeFileSync(join(directory, "a.rules"), BROKEN);
  const broken = await bench.next();
  t.match(broken, {
    ok: false,
    changed: true,
    generation: 1,
    hash,
    files: 2,
    rules: 2,
    report: /error\[E102\]: unknown effect `dney`/,
  });
  t.equal(bench.effect(), "deny");
  t.match(await bench.service.load(), { ok: false, changed: false }, "asked again, it says the same");
  writeFileSync(join(directory, "a.rules"), DENY);
  t.match(await bench.next(), { ok: true, generation: 2, hash, report: "" });
  t.equal(bench.told, 0, "nothing was told twice");
});

t.test("an edit that keeps size and time is seen all the same", async (t) => {
  const directory = t.testdir({ "a.rules": ALLOW });
  const file = join(directory, "a.rules");
  const bench = new Bench(t, directory);
  await bench.start();
  writeFileSync(file, "default allow \n");
  await bench.next();
  const { atime, mtime } = statSync(file);
  writeFileSync(file, "default deny  \n");
  utimesSync(file, atime, mtime);
  t.match(await bench.next(), { ok: true });
  t.equal(bench.effect(), "deny");
});

t.test("several swaps of a ConfigMap's ..data link are all seen", async (t) => {
  const directory = t.testdir({ "..v0": { "a.rules": ALLOW } });
  symlinkSync("..v0", join(directory, "..data"));
  symlinkSync(join("..data", "a.rules"), join(directory, "a.rules"));
  const bench = new Bench(t, directory);
  t.match(await bench.start(), { ok: true, files: 1 });
  for (let i = 1; i <= 3; i += 1) {
    mkdirSync(join(directory, `..v${i}`));
    writeFileSync(join(directory, `..v${i}`, "a.rules"), i % 2 === 1 ? DENY : ALLOW);
    symlinkSync(`..v${i}`, join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    rmSync(join(directory, `..v${i - 1}`), { recursive: true });
    t.match(await bench.next(), { ok: true, generation: i + 1 });
    t.equal(bench.effect(), i % 2 === 1 ? "deny" : "allow");
  }
});

t.test("a directory that is replaced, or vanishes and returns, is still watched", async (t) => {
  const root = t.testdir({ rules: { "a.rules": ALLOW }, next: { "a.rules": DENY } });
  const directory = join(root, "rules");
  const bench = new Bench(t, directory);
  await bench.start();
  renameSync(directory, join(root, "old"));
  renameSync(join(root, "next"), directory);
  t.match(await bench.next(), { ok: true });
  t.equal(bench.effect(), "deny");
  rmSync(directory, { recursive: true });
  t.match(await bench.next(), { ok: false, report: /does not exist/, generation: 2 });
  t.equal(bench.effect(), "deny", "the last good set stays");
  mkdirSync(directory);
  writeFileSync(join(directory, "a.rules"), ALLOW);
  let load = await bench.next();
  while (!load.ok) load = await bench.next();
  t.equal(bench.effect(), "allow");
  writeFileSync(join(directory, "a.rules"), DENY);
  t.match(await bench.next(), { ok: true });
});

t.test("a link to the directory that is swapped is followed", async (t) => {
  const root = t.testdir({ one: { "a.rules": ALLOW }, two: { "a.rules": DENY } });
  symlinkSync("one", join(root, "rules"));
  const bench = new Bench(t, join(root, "rules"));
  await bench.start();
  writeFileSync(join(root, "one", "a.rules"), "default deny\n");
  await bench.next();
  symlinkSync("two", join(root, "rules_tmp"));
  renameSync(join(root, "rules_tmp"), join(root, "rules"));
  t.match(await bench.next(), { ok: true });
  t.equal(bench.service.decide(call(), principal()).denial?.ruleId, "rules/a.rules:2");
});

t.test("files that are no rules are not looked at, and an aborted watch is silent", async (t) => {
  const directory = t.testdir({ "a.rules": ALLOW });
  const bench = new Bench(t, directory);
  await bench.start();
  for (const name of [".#a.rules", "#a.rules#", "a.rules~", ".a.rules.swp", "4913", "a.rules.bak"])
    writeFileSync(join(directory, name), "nonsense\n");
  writeFileSync(join(directory, "a.rules"), DENY);
  t.match(await bench.next(), { ok: true, generation: 2, files: 1 });
  bench.stop();
  const other = new Bench(t, directory);
  await other.start();
  writeFileSync(join(directory, "a.rules"), ALLOW);
  await other.next();
  t.same([bench.told, bench.service.generation], [0, 2]);
});

t.test("a burst of edits ends in the last of them, never in a half-written file", async (t) => {
  const directory = t.testdir({ "a.rules": DENY });
  const bench = new Bench(t, directory);
  await bench.start();
  const rules = Array.from({ length: 200 }, (_, i) => `deny model m${i}\n`).join("");
  execFileSync(process.execPath, [
    "-e",
    `const fs = require("fs"), f = ${JSON.stringify(join(directory, "a.rules"))};
     for (let i = 0; i < 40; i += 1) { const h = fs.openSync(f, "w"); fs.writeSync(h, ${JSON.stringify(DENY)}); fs.writeSync(h, ${JSON.stringify(rules)}); fs.closeSync(h); }`,
  ]);
  t.match(await bench.next(), { ok: true, generation: 2, rules: 201 });
});

t.test(
  "a file that may not be read keeps the last good set",
  { skip: process.getuid?.() === 0 ? "root may read all" : false },
  async (t) => {
    const directory = t.testdir({ "a.rules": DENY });
    const bench = new Bench(t, directory);
    await bench.start();
    chmodSync(join(directory, "a.rules"), 0);
    t.match(await bench.next(), { ok: false, report: /permission denied/ });
    t.equal(bench.service.decide(call({ targets: [MINI] }), principal()).effect, "allow");
  },
);

t.test("a large set is loaded in slices, and decided by the rules before until it is whole", async (t) => {
  const directory = t.testdir({ "a.rules": ALLOW });
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
  const service = createRuleService({ directory, catalogue: CATALOGUE, clock });
  await service.load();
  const many = Array.from({ length: 3_000 }, (_, i) => `deny model gpt-4 for team t${i} when max_tokens > ${i}\n`);
  writeFileSync(join(directory, "a.rules"), `${DENY}${many.join("")}`);
  let [turns, loaded] = [0, false];
  const loading = service.load().then(() => {
    loaded = true;
  });
  for (; !loaded; turns += 1) {
    t.equal(service.decide(call(), principal()).effect, "allow");
    await new Promise((resolve) => setImmediate(resolve));
  }
  await loading;
  t.ok(turns > 5, `${turns} turns of the event loop`);
  t.equal(service.decide(call(), principal()).effect, "deny");
});

/** Edits one after the other; by the poll alone so many would take three of its intervals, 6 s, at least. */
async function editsAreSeenByEvents(t: Pick<Test, "match" | "ok">, bench: Bench, file: string): Promise<void> {
  const start = performance.now();
  for (let i = 0; i < 4; i += 1) {
    writeFileSync(file, `${DENY}deny team t${start}-${i}\n`);
    t.match(await bench.next(), { ok: true, rules: 2 });
  }
  t.ok(performance.now() - start < 5_000, `${performance.now() - start} ms`);
}

t.test(
  "events tell of edits: in the directory, in one that replaced it, in one that a link came to lead to",
  async (t) => {
    const root = t.testdir({ rules: { "a.rules": ALLOW }, next: { "a.rules": DENY }, linked: { "a.rules": ALLOW } });
    const directory = join(root, "rules");
    const bench = new Bench(t, directory);
    await bench.start();
    await editsAreSeenByEvents(t, bench, join(directory, "a.rules"));
    renameSync(directory, join(root, "old"));
    renameSync(join(root, "next"), directory);
    t.match(await bench.next(), { ok: true, rules: 1 });
    await editsAreSeenByEvents(t, bench, join(directory, "a.rules"));
    renameSync(directory, join(root, "older"));
    symlinkSync("linked", directory);
    t.match(await bench.next(), { ok: true, rules: 0 });
    await editsAreSeenByEvents(t, bench, join(root, "linked", "a.rules"));
  },
);

t.test("where no event tells, the poll does: behind a link, and in a sub-directory", async (t) => {
  const root = t.testdir({ elsewhere: { "a.rules": ALLOW }, rules: { sub: { "b.rules": "deny team ml\n" } } });
  symlinkSync(join(root, "elsewhere", "a.rules"), join(root, "rules", "a.rules"));
  const bench = new Bench(t, join(root, "rules"));
  t.match(await bench.start(), { ok: true, files: 2, rules: 1 });
  writeFileSync(join(root, "elsewhere", "a.rules"), DENY);
  t.match(await bench.next(), { ok: true, rules: 2 });
  writeFileSync(join(root, "rules", "sub", "b.rules"), "");
  t.match(await bench.next(), { ok: true, rules: 1 });
});

t.test(
  "a file that is written slowly is not loaded half, whether events tell of it or the poll finds it",
  async (t) => {
    const root = t.testdir({ elsewhere: { "b.rules": "" }, rules: { "a.rules": ALLOW } });
    symlinkSync(join(root, "elsewhere", "b.rules"), join(root, "rules", "b.rules"));
    const bench = new Bench(t, join(root, "rules"));
    await bench.start();
    // Longer than the poll's interval; each part of it is a good file.
    const pieces = Array.from({ length: 150 }, (_, i) => `deny team t${i}\n`);
    for (const [file, count] of [
      [join(root, "elsewhere", "b.rules"), 150] as const,
      [join(root, "rules", "c.rules"), 25] as const,
    ]) {
      writeFileSync(file, "");
      for (const piece of pieces.slice(0, count)) {
        appendFileSync(file, piece);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
      t.match(await bench.next(), { ok: true, rules: count === 150 ? 150 : 175 }, "whole");
      t.equal(bench.told, 0, "and once");
    }
  },
);

t.test("a file that vanishes for a moment is not missed; one that stays away is, and may return", async (t) => {
  const directory = t.testdir({ "a.rules": ALLOW, "b.rules": "deny team ml\n" });
  const file = join(directory, "b.rules");
  const bench = new Bench(t, directory);
  await bench.start();
  for (let i = 0; i < 5; i += 1) {
    renameSync(file, `${file}~`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(file, `deny team ml\ndeny team t${i}\n`);
    t.match(await bench.next(), { ok: true, files: 2, rules: 2 });
  }
  t.equal(bench.service.generation, 6);
  unlinkSync(file);
  t.match(await bench.next(), { ok: true, files: 1, rules: 0 });
  writeFileSync(file, "deny team ml\n");
  t.match(await bench.next(), { ok: true, files: 2, rules: 1 });
});

/** A service that keeps its sets in a place that outlives it, as a database does. */
function restarted(directory: string, kept: { set: Kept | null }, more: Partial<RuleServiceOptions> = {}) {
  const logged: string[] = [];
  const keeper: RuleKeeper = {
    keep: (set) => {
      kept.set = { ...set, keptMs: NOW_MS };
    },
    kept: () => kept.set,
  };
  const clock = { nowMs: () => NOW_MS + 1, monotonicMs: () => 0 };
  const log = { error: (_fields: object, message: string) => logged.push(message) };
  return { service: createRuleService({ directory, catalogue: CATALOGUE, clock, keeper, log, ...more }), logged };
}

type Kept = NonNullable<ReturnType<RuleKeeper["kept"]>>;

t.test("broken files at a start: the last good set is in force and marked stale, until a good load", async (t) => {
  const directory = t.testdir({ "a.rules": DENY, "b.rules": "deny team ml as no-ml\n" });
  const kept = { set: null };
  const before = await restarted(directory, kept).service.load();
  writeFileSync(join(directory, "a.rules"), BROKEN);
  const { service } = restarted(directory, kept);
  const load = await service.load();
  t.match(load, { ok: false, changed: true, generation: 1, hash: before.hash, files: 2, rules: 2 });
  t.match(load.report, /error\[E102\]: unknown effect `dney`/);
  t.equal(service.decide(call({ targets: [MINI] }), principal()).effect, "allow");
  t.equal(service.decide(call(), principal()).denial?.ruleId, `${basename(directory)}/a.rules:2`, "ids as they were");
  t.match(service.status(), {
    generation: 1,
    hash: before.hash,
    stale: true,
    keptMs: NOW_MS,
    loadedMs: NOW_MS + 1,
    lastFailure: { atMs: NOW_MS + 1, report: load.report },
  });
  t.match(await service.load(), { ok: false, changed: false, generation: 1 }, "asked again, it says the same");
  writeFileSync(join(directory, "a.rules"), ALLOW);
  t.match(await service.load(), { ok: true, generation: 2, files: 2, rules: 1 });
  t.match(service.status(), { stale: false, keptMs: null, lastFailure: null });
  writeFileSync(join(directory, "a.rules"), BROKEN);
  await service.load();
  t.match(service.status(), { generation: 2, stale: true, keptMs: null }, "stale, but of this start");
  t.match(
    await restarted(directory, kept).service.load(),
    { ok: false, generation: 1, rules: 1 },
    "the newest good one",
  );
});

t.test("broken files at a start: nothing is in force where there is no last good set that can be used", async (t) => {
  const directory = t.testdir({ "a.rules": "default allow\ndeny model gpt-4 as x\n" });
  const kept: { set: Kept | null } = { set: null };
  writeFileSync(join(directory, "a.rules"), BROKEN);
  const refused = async (more: Partial<RuleServiceOptions> = {}): Promise<string> => {
    const { service, logged } = restarted(directory, kept, more);
    const { ok, generation, report } = await service.load();
    t.match({ ok, generation }, { ok: false, generation: 0 });
    t.equal(service.decide(call(), principal()).denial?.code, "policy_error");
    t.match(service.status(), { stale: false, loadedMs: null });
    return `${report}${logged.join()}`;
  };
  t.notMatch(await refused(), "last good", "never a good load");

  const dear = 'default allow\ndeny when price > 10 as dear\ntest "x" {\n given model gpt-4\n expect deny by dear\n}\n';
  writeFileSync(join(directory, "a.rules"), dear);
  t.match(await restarted(directory, kept).service.load(), { ok: true });
  writeFileSync(join(directory, "a.rules"), BROKEN);
  t.notMatch(await refused({ onBrokenStart: "refuse" }), "last good");
  const cheaper = { models: () => [target("gpt-4", 1)] };
  t.match(
    await refused({ catalogue: cheaper }),
    /dney(?:.|\n)*the last good rules, kept 2026-11-21T12:00:00.000Z, cannot be used either:\n\nerror\[E222\]/,
    "the catalogue has changed",
  );
  const good = kept.set as unknown as Kept;
  kept.set = { ...good, files: [{ name: "rules/a.rules", text: "default allow\n" }] };
  t.match(await refused(), "cannot be read", "what is kept is not what was kept");
  kept.set = good;
  t.match((await restarted(directory, kept).service.load()).generation, 1, "and else it can");
});

t.test("rules that cannot be kept are in force all the same, and the log says so", async (t) => {
  const broken = (): never => {
    throw new Error("the disk is full");
  };
  const { service, logged } = restarted(
    t.testdir({ "a.rules": DENY }),
    { set: null },
    { keeper: { keep: broken, kept: broken } },
  );
  t.match(await service.load(), { ok: true, generation: 1 });
  t.same(logged, ["the rules in force could not be kept for a restart with broken files"]);
});
