// The iam plugin: starts with good rules or not at all, follows their files, asks them.
import t from "tap";
import iam from "../../../plugins/iam/index.ts";
import type { Host, PluginHooks, RuleLoad, RuleService } from "../../../src/plugin.ts";
import { call, principal } from "../../rules/samples.ts";

const LOAD: RuleLoad = { ok: true, changed: true, generation: 1, hash: "0123456789ab", files: 1, rules: 2, report: "" };

interface Line {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

/** The plugin on a service that loads as told; `later` is what a change comes to. */
function setUp(
  first: RuleLoad,
  keptMs: number | null = null,
): { hooks: PluginHooks; lines: Line[]; later: (load: RuleLoad) => void } {
  const lines: Line[] = [];
  const say = (level: string) => (fields: object, message: string) => lines.push({ level, fields, message });
  let onLoad: (load: RuleLoad) => void = () => t.fail("not watched yet");
  const rules: RuleService = {
    generation: 1,
    hash: "0123456789ab",
    loads: { ok: 1, failed: 0 },
    record: () => null,
    statements: () => [],
    load: async () => first,
    watch: (_signal, told) => {
      onLoad = told;
    },
    status: () => ({ ...LOAD, loadedMs: 0, stale: keptMs !== null, keptMs, lastFailure: null }),
    decide: (asked) => ({
      effect: "allow",
      targets: asked.targets,
      denial: null,
      ruleIds: ["r"],
      shadowIds: [],
      unknown: [],
      generation: 1,
    }),
  };
  const host = { rules, log: { info: say("info"), warn: say("warn"), error: say("error") } } as unknown as Host;
  return { hooks: iam.setup(host, {}), lines, later: (load) => onLoad(load) };
}

t.test("broken rules stop the start with their report and exit code 78", async (t) => {
  const { hooks, lines } = setUp({ ...LOAD, ok: false, generation: 0, report: "error[E102]: …" });
  await t.rejects(hooks.start?.(new AbortController().signal) as Promise<void>, {
    message: "error[E102]: …",
    exitCode: 78,
  });
  t.same(lines, []);
});

t.test("each load is logged: good, with warnings, broken", async (t) => {
  const { hooks, lines, later } = setUp(LOAD);
  await hooks.start?.(new AbortController().signal);
  later({ ...LOAD, generation: 2, report: "warning[W301]: …" });
  later({ ...LOAD, ok: false, generation: 2, report: "error[E102]: …" });
  t.match(lines, [
    {
      level: "info",
      fields: { generation: 1, hash: LOAD.hash, files: 1, rules: 2 },
      message: "rules loaded: generation 1",
    },
    { level: "warn", fields: { report: "warning[W301]: …" }, message: "rules loaded with warnings: generation 2" },
    { level: "error", fields: { report: "error[E102]: …" }, message: "rules not loaded: keeping generation 2" },
  ]);
});

t.test("the last good rules in place of broken files start the gateway, and the log shouts", async (t) => {
  const broken = { ...LOAD, ok: false, report: "error[E102]: …" };
  const { hooks, lines, later } = setUp(broken, Date.parse("2026-11-20T08:00:00Z"));
  await hooks.start?.(new AbortController().signal);
  t.match(lines, [
    {
      level: "error",
      fields: { generation: 1, hash: LOAD.hash, kept: "2026-11-20T08:00:00.000Z", report: broken.report },
      message: /^THE RULE FILES ARE BROKEN: .*kept 2026-11-20T08:00:00.000Z$/,
    },
  ]);
  later({ ...LOAD, generation: 2 });
  t.match(lines[1], { level: "info", message: "rules loaded: generation 2" });
});

t.test("a call is decided by the rules", async (t) => {
  const { hooks } = setUp(LOAD);
  t.match(hooks.authorize?.(call(), principal()), { effect: "allow", ruleIds: ["r"] });
});
