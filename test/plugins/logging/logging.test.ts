// The logging plugin and the log under it: what a line says, what it never says, and that nothing is lost at the end.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import t from "tap";
import logging from "../../../plugins/logging/index.ts";
import { createLogger } from "../../../src/log.ts";
import { prettyLine } from "../../../src/log-pretty.ts";
import type { AccessRecord } from "../../../src/types.ts";
import { fakeHost } from "../../support/host.ts";

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
  unknown: [],
  generation: 3,
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
  const hooks = logging.setup(fakeHost({ log, requests: { append: (row) => rows.push(row), usage: () => [] } }), {});
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
  t.match(record({ ...served, usage, shadowIds: ["s"], unknown: ["price"], userId: "u", orgId: "o" }).line, {
    estimated: true,
    cache_write_tokens: 7,
    shadow_rules: ["s"],
    unknown: ["price"],
    user_id: "u",
    org_id: "o",
  });
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

t.test("a log file that cannot be written is refused at once", async (t) => {
  const file = join(t.testdir({}), "no", "such", "dir");
  const make = (): unknown => createLogger({ level: "info", format: "auto", file }, PLAIN);
  t.throws(make, { message: /^the log file .* cannot be written: ENOENT/, exitCode: 78 });
});

t.test("what was logged is written even when the process exits at once or crashes", async (t) => {
  for (const [end, status] of [
    ["process.exit(3)", 3],
    ["throw new Error('crash')", 1],
    ["", 0],
  ] as const) {
    const code = `import { createLogger } from "./src/log.ts";
      const { logger } = createLogger({ level: "info", format: "auto", file: null }, { tty: false, color: false });
      for (let i = 0; i < 500; i += 1) logger.info({ i }, "line");
      ${end}`;
    const done = spawnSync(process.execPath, ["--input-type=module", "-e", code], { cwd: ROOT, encoding: "utf8" });
    t.equal(done.status, status);
    t.equal(done.stdout, "", "stdout is for data");
    t.equal(done.stderr.split("\n").filter((line) => line.includes('"msg":"line"')).length, 500, end || "normal end");
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
