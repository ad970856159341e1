// The logging plugin and the log under it: what a line says, what it never says, and that nothing is lost at the end.
import { spawnSync } from "node:child_process";
import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import t from "tap";
import { Counters } from "../../../plugins/logging/counters.ts";
import logging from "../../../plugins/logging/index.ts";
import { createLogger } from "../../../src/log.ts";
import { prettyLine } from "../../../src/log-pretty.ts";
import { LogSink } from "../../../src/log-sink.ts";
import type { HistogramSample } from "../../../src/plugin.ts";
import type { AccessRecord } from "../../../src/types.ts";
import { fakeHost, noRequests } from "../../support/host.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const PLAIN = { tty: false, color: false };

const served: AccessRecord = {
  id: "req_1",
  receivedMs: 1_800_000_000_000,
  method: "POST",
  path: "/v1/chat/completions",
  endpoint: "chat",
  ip: "10.0.0.9",
  keyId: "key_1",
  keyAlias: "app",
  teamId: "team_1",
  teamAlias: "ml",
  userId: null,
  orgId: null,
  modelRequested: "fast",
  model: "gpt-4o-mini",
  provider: "openai",
  stream: true,
  status: 200,
  error: null,
  decision: "allow",
  ruleIds: ["a", "b"],
  shadowIds: [],
  warningIds: [],
  unknown: [],
  generation: 3,
  rulesHash: "0123456789ab",
  facts: "{}",
  usage: { inputTokens: 10, outputTokens: 20, cachedInputTokens: 4, cacheWriteTokens: 0, estimated: false },
  reservedNanoUsd: 5_000,
  costNanoUsd: 13_500,
  outcome: "completed",
  requestBytes: 120,
  responseBytes: 900,
  firstByteMs: 12.3456,
  totalMs: 99.96,
};

const refused: AccessRecord = {
  ...served,
  endpoint: null,
  keyId: null,
  keyAlias: null,
  teamAlias: null,
  modelRequested: null,
  model: null,
  provider: null,
  stream: false,
  status: 401,
  error: "invalid_api_key",
  decision: null,
  ruleIds: [],
  generation: 0,
  usage: null,
  reservedNanoUsd: 0,
  costNanoUsd: 0,
  outcome: "not_sent",
  firstByteMs: null,
};

function record(entry: AccessRecord): { line: Record<string, unknown>; rows: AccessRecord[] } {
  const lines: string[] = [];
  const rows: AccessRecord[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) });
  const hooks = logging.setup(fakeHost({ log, requests: { ...noRequests, append: (row) => void rows.push(row) } }), {});
  hooks.record?.(entry);
  return { line: JSON.parse(lines[0] ?? "{}") as Record<string, unknown>, rows };
}

t.test("a served request is one flat info line with money as text, and one row", async (t) => {
  const { line, rows } = record(served);
  t.strictSame(line, {
    level: 30,
    request_id: "req_1",
    method: "POST",
    path: "/v1/chat/completions",
    status: 200,
    outcome: "completed",
    ip: "10.0.0.9",
    key_id: "key_1",
    key: "app",
    team: "ml",
    endpoint: "chat",
    model: "gpt-4o-mini",
    model_requested: "fast",
    provider: "openai",
    stream: true,
    decision: "allow",
    rules: ["a", "b"],
    generation: 3,
    input_tokens: 10,
    output_tokens: 20,
    cached_input_tokens: 4,
    reserved_usd: "0.000005",
    cost_usd: "0.0000135",
    first_byte_ms: 12.3,
    total_ms: 100,
    request_bytes: 120,
    response_bytes: 900,
    msg: "request",
  });
  t.strictSame(rows, [served]);
});

t.test("a refused request leaves out what it does not have", async (t) => {
  const { line, rows } = record(refused);
  t.match(line, { level: 30, status: 401, error: "invalid_api_key", cost_usd: "0", outcome: "not_sent" });
  for (const name of ["key", "model", "decision", "rules", "input_tokens", "reserved_usd", "first_byte_ms", "stream"]) {
    t.notOk(name in line, `no ${name}`);
  }
  t.equal(rows.length, 1);
});

t.test("5xx is a warning; estimates, shadow rules and unknown attributes are said", async (t) => {
  t.match(record({ ...served, status: 502, error: "upstream_broken" }).line, { level: 40 });
  const usage = { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, cacheWriteTokens: 7, estimated: true };
  t.match(
    record({ ...served, usage, shadowIds: ["s"], warningIds: ["w"], unknown: ["price"], userId: "u", orgId: "o" }).line,
    {
      estimated: true,
      cache_write_tokens: 7,
      shadow_rules: ["s"],
      warnings: ["w"],
      unknown: ["price"],
      user_id: "u",
      org_id: "o",
    },
  );
});

t.test("what callers make up cannot make metrics without end, and nothing is lost in the sums", async (t) => {
  const counters = new Counters();
  for (let i = 0; i < 3_000; i += 1) {
    counters.add({ ...served, model: `made-up-${i}`, ruleIds: [`rules/a.rules:${i}`], totalMs: i });
  }
  const samplesOf = (name: string) => counters.metrics().find((metric) => metric.name === name)?.samples ?? [];
  const values = (name: string): number[] => samplesOf(name).map((sample) => ("value" in sample ? sample.value : 0));
  const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0);
  t.equal(values("tollgate_requests_total").length, 201);
  t.equal(sum(values("tollgate_requests_total")), 3_000);
  t.equal(values("tollgate_rule_hits_total").length, 1_001);
  t.equal(sum(values("tollgate_rule_hits_total")), 3_000);
  t.equal(sum(values("tollgate_cost_usd_total")).toFixed(9), "0.040500000");
  const [durations] = samplesOf("tollgate_request_duration_seconds") as HistogramSample[];
  t.equal(durations?.counts.length, (durations?.upperBounds.length ?? 0) + 1);
  t.same(durations?.counts.slice(0, 3), [2, 1, 3], "a bound is in its bucket: 0 and 1 ms, 2 ms, 3 to 5 ms");
  t.equal(sum(durations?.counts ?? []), 3_000);
});

t.test("the log file gets JSON lines, batched, without headers, requests or an error's own fields", async (t) => {
  const file = join(t.testdir({}), "x.log");
  const { logger, flush, reopen } = createLogger({ level: "info", format: "auto", file }, PLAIN);
  const fault = Object.assign(new Error("outer", { cause: new Error("inner") }), {
    headers: { authorization: "sk-leak" },
  });
  logger.child({ plugin: "p" }).info({ headers: { authorization: "sk-leak" }, req: { a: "sk-leak" } }, "hello");
  logger.debug("below the level");
  logger.error({ err: fault }, "failed");
  await flush();
  const text = readFileSync(file, "utf8");
  t.notMatch(text, /sk-leak|below/);
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.match(lines, [
    { level: "info", time: /^20\d\d-.*Z$/, plugin: "p", msg: "hello" },
    { level: "error", msg: "failed", err: { type: "Error", message: "outer", cause: { message: "inner" } } },
  ]);
  t.strictSame(Object.keys(lines[0]), ["level", "time", "plugin", "msg"], "no pid, no host name");
  t.doesNotThrow(reopen);
});

t.test("lines wait for their batch, but a fatal one is on disk at once", async (t) => {
  const file = join(t.testdir({}), "x.log");
  const { logger, close } = createLogger({ level: "info", format: "pretty", file }, PLAIN);
  const json = createLogger({ level: "info", format: "json", file }, PLAIN);
  json.logger.info("one");
  t.equal(readFileSync(file, "utf8"), "", "not written yet");
  json.logger.fatal("two");
  t.match(readFileSync(file, "utf8"), /"msg":"one"[\s\S]*"msg":"two"/);
  logger.fatal("three");
  t.match(readFileSync(file, "utf8"), /FATAL three\n$/);
  await Promise.all([close(), json.close()]);
});

t.test("after a rotation, reopen goes on in a new file and loses no line", async (t) => {
  const file = join(t.testdir({}), "x.log");
  const { logger, reopen, close } = createLogger({ level: "info", format: "json", file }, PLAIN);
  const count = 5_000;
  for (let i = 0; i < count; i += 1) {
    logger.info({ i }, "line");
    if (i % 1_000 === 999) await new Promise(setImmediate);
    if (i === count / 2) {
      renameSync(file, `${file}.1`);
      reopen();
    }
  }
  await close();
  const numbers = [`${file}.1`, file].flatMap((name) => {
    const lines = readFileSync(name, "utf8").trimEnd().split("\n");
    t.ok(lines.length > 1, `${name} has lines`);
    return lines.map((line) => (JSON.parse(line) as { i: number }).i);
  });
  t.strictSame(
    numbers,
    Array.from({ length: count }, (_, i) => i),
  );
});

t.test("a rotation that goes wrong leaves the old file in use", async (t) => {
  const logs = join(t.testdir({ logs: {} }), "logs");
  const { logger, reopen, close } = createLogger({ level: "info", format: "json", file: join(logs, "x.log") }, PLAIN);
  renameSync(logs, `${logs}-moved`);
  reopen();
  logger.info("after");
  await close();
  const text = readFileSync(join(`${logs}-moved`, "x.log"), "utf8");
  t.match(text, /"code":"ENOENT"[\s\S]*cannot be opened anew[\s\S]*"msg":"after"/);
});

t.test("a sink that takes nothing drops what is too much, and says how much once it takes again", async (t) => {
  const file = join(t.testdir({}), "x.log");
  const sink = new LogSink({ file, batchLength: 1_000, flushMs: 10_000, waitingMax: 50 });
  for (let i = 0; i < 10; i += 1) sink.write("0123456789\n");
  await sink.flush();
  sink.write("later\n");
  await sink.close();
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const [warning = ""] = lines.splice(4, 1);
  t.match(JSON.parse(warning), { level: "warn", dropped: 6, msg: "log lines dropped" });
  t.strictSame(lines, [...Array(4).fill("0123456789"), "later"], "and it stands where the lines are missing");
});

t.test("a reader of stderr that leaves does not end the process", async (t) => {
  const code = `import { createLogger } from "./src/log.ts";
    const { logger } = createLogger({ level: "info", format: "auto", file: null }, { tty: false, color: false });
    for (let i = 0; i < 20; i += 1) {
      logger.info("x".repeat(100_000));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    console.log("alive");`;
  const script = `"${process.execPath}" --input-type=module -e '${code.replaceAll("'", `'\\''`)}' 2>&1 >&3 | head -c 1 >/dev/null`;
  const done = spawnSync("sh", ["-c", script], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  t.equal(done.output[3], "alive\n", done.stderr);
});

t.test("a log file that cannot be written is refused at once", async (t) => {
  const file = join(t.testdir({}), "no", "such", "dir");
  const make = (): unknown => createLogger({ level: "info", format: "auto", file }, PLAIN);
  t.throws(make, { message: /^the log file .* cannot be written: ENOENT/, exitCode: 78 });
});

t.test("what was logged is written even when the process exits at once or crashes", async (t) => {
  const ends = [
    ["process.exit(3)", 3],
    ["throw new Error('crash')", 1],
    ["", 0],
  ] as const;
  // Few lines are still waiting when it ends; many are partly being written.
  for (const [[end, status], count] of ends.flatMap((one) => [[one, 500] as const, [one, 20_000] as const])) {
    const code = `import { createLogger } from "./src/log.ts";
      const { logger } = createLogger({ level: "info", format: "auto", file: null }, { tty: false, color: false });
      for (let i = 0; i < ${count}; i += 1) logger.info({ i }, "line");
      ${end}`;
    const args = ["--input-type=module", "-e", code];
    const done = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", maxBuffer: 1e8 });
    t.equal(done.status, status);
    t.equal(done.stdout, "", "stdout is for data");
    const lines = done.stderr.split("\n").filter((line) => line.includes('"msg":"line"'));
    t.equal(lines.length, count, `${end || "normal end"}, ${count} lines`);
  }
});

t.test("a terminal gets one readable line", async (t) => {
  const json = (more: object): string =>
    JSON.stringify({ level: "warn", time: "2026-11-21T10:42:07.123Z", msg: "request", ...more });
  t.equal(
    prettyLine(json({ status: 200, path: "/v1/x", rules: ["a b"] }), false),
    '10:42:07.123 WARN  request status=200 path=/v1/x rules=["a b"]\n',
  );
  t.equal(prettyLine(json({}), true), "10:42:07.123 \x1b[33mWARN \x1b[39m request\n");
  const hostile = prettyLine(json({ model: "a\x1b[2Jb\nc" }), false);
  t.notMatch(hostile.trimEnd(), /\p{Cc}/u, "no control characters from a caller");
  const err = { stack: "Error: x\n  at y", message: "x", cause: { message: "why" } };
  t.equal(prettyLine(json({ err }), false), "10:42:07.123 WARN  request\n  Error: x\n    at y\n  caused by\n  why\n");
  t.equal(prettyLine("not json", false), "not json");
});
