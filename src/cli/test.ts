// `tollgate test`: runs the `test` blocks of rule files.
import { dirname, resolve } from "node:path";
import { type Built, build, type Snapshot } from "../rules/build.ts";
import { type RuleCatalogue, vocabularyOf } from "../rules/catalogue.ts";
import { isError } from "../rules/diagnostics.ts";
import { explain, renderExplanation } from "../rules/explain.ts";
import { StatementCache } from "../rules/parse.ts";
import { renderLsp, renderText } from "../rules/render.ts";
import { coverageOf, type RuleCoverage, type TestRun } from "../rules/run-tests.ts";
import { positionAt, whereOf } from "../rules/source.ts";
import type { Command, Io } from "./command.ts";
import { onChange } from "./on-change.ts";
import { parseOptions } from "./options.ts";
import { configSurroundings, counted, type FindSurroundings, partArguments, readRules } from "./rule-files.ts";
import { renderTable } from "./table.ts";

const HELP = `
Runs the tests in rule files. The gateway runs them too, and keeps the rules before when one fails.

Usage:
  tollgate test [DIR|FILE…]           default: the rules directory of the config

What is named is tested as one rule set, so it needs one \`default\` line. The report is on stdout.

Options:
  --watch             run them again whenever a rule file changes, until Ctrl-C
  --coverage          which rules fired, and which conditions were seen both ways
  --json              the same as data
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Exit codes: 0 all pass, 2 a test fails or the rules have an error, 64 usage, 78 bad config.

Examples:
  tollgate test
  tollgate test rules/ --coverage
  tollgate test --watch
`;

/** Makes the command for a way to find what surrounds the rules. */
export function createTestCommand(findSurroundings: FindSurroundings): Command {
  return {
    name: "test",
    summary: "run the tests in rule files",
    help: HELP.trimStart(),
    run: (argv, io) => run(argv, io, findSurroundings),
  };
}

/** The command with the config's directory, providers and models. */
export const test: Command = createTestCommand(configSurroundings);

async function run(argv: readonly string[], io: Io, findSurroundings: FindSurroundings): Promise<number> {
  const { paths, rest } = partArguments(argv);
  const options = { coverage: { type: "boolean" }, watch: { type: "boolean" } } as const;
  const { values } = parseOptions(rest, { command: "test", options });
  const { directory, catalogue } = await findSurroundings(values.config, io);
  const cache = new StatementCache();
  const read = (): Promise<Snapshot> => readRules("test", paths, { directory, cwd: io.cwd });
  const act = (snapshot: Snapshot): number =>
    runAll(build(snapshot, catalogue, cache, Date.now()), catalogue, values, io);
  if (!values.watch) return act(await read());
  const directories = paths.length === 0 ? [directory] : paths.map((path) => folderOf(resolve(io.cwd, path)));
  return onChange({ directories, read, act }, io);
}

/** A directory itself, else the one that the file is in. */
function folderOf(path: string): string {
  return path.endsWith(".rules") ? dirname(path) : path;
}

interface Wanted {
  readonly json?: boolean | undefined;
  readonly coverage?: boolean | undefined;
  readonly watch?: boolean | undefined;
}

function runAll(built: Built, catalogue: RuleCatalogue, values: Wanted, io: Io): number {
  if (built.checked === null) return refuse(built, values, io);
  const { checked, tests } = built;
  const failed = tests.filter(({ failures }) => failures.length > 0).length;
  const coverage = values.coverage ? coverageOf(checked, tests).rules : null;
  if (values.json) io.stdout.write(jsonText(report(tests, failed, coverage), values));
  else {
    for (const one of tests) io.stdout.write(testText(one, built.checked, vocabularyOf(catalogue)));
    if (coverage !== null && coverage.length > 0)
      io.stdout.write(`${tests.length > 0 ? "\n" : ""}${coverageText(coverage)}`);
  }
  const what =
    tests.length === 0
      ? "no tests"
      : `${counted(tests.length, "test")}: ${tests.length - failed} passed, ${failed} failed`;
  io.stderr.write(`${what}${coverage === null ? "" : `; ${coverageSummary(coverage)}`}\n`);
  return failed === 0 && built.set !== null ? 0 : 2;
}

/** Rules with an error cannot be tested. */
function refuse({ diagnostics }: Built, values: Wanted, io: Io): number {
  const errors = diagnostics.filter(isError);
  if (values.json) io.stdout.write(jsonText({ ok: false, diagnostics: renderLsp(errors) }, values));
  else io.stdout.write(renderText(errors));
  io.stderr.write(`${counted(errors.length, "error")}: no test was run\n`);
  return 2;
}

/** Of a watch, one line a run. */
function jsonText(data: object, { watch }: Wanted): string {
  return `${JSON.stringify(data, null, watch ? 0 : 2)}\n`;
}

function testText(
  run: TestRun,
  set: NonNullable<Built["checked"]>,
  vocabulary: ReturnType<typeof vocabularyOf>,
): string {
  const { test, failures, scenario } = run;
  const head = `${failures.length === 0 ? "ok  " : "FAIL"}  ${whereOf(test)}  ${JSON.stringify(test.name)}\n`;
  if (failures.length === 0) return head;
  const why = renderExplanation(explain(set, scenario, vocabulary))
    .trimEnd()
    .split("\n");
  const lines = [...failures, ...why.map((line) => (line === "" ? "" : `| ${line}`))];
  return `${head}${lines
    .filter((line) => line !== "")
    .map((line) => `      ${line}\n`)
    .join("")}`;
}

function coverageText(coverage: readonly RuleCoverage[]): string {
  const rows = coverage.map(({ rule, fired, conditions }) => [
    whereOf(rule),
    rule.id === whereOf(rule) ? "" : rule.id,
    String(fired),
    conditions
      .filter(({ held, failed }) => held === 0 || failed === 0)
      .map(gapText)
      .join("; "),
  ]);
  const left = (title: string) => ({ title, align: "left" as const });
  return renderTable(
    [left("RULE"), left("ID"), { title: "FIRED", align: "right" }, left("CONDITIONS NOT SEEN BOTH WAYS")],
    rows,
  );
}

function gapText({ text, held, failed }: RuleCoverage["conditions"][number]): string {
  return `${text} ${held === 0 ? (failed === 0 ? "never known" : "never holds") : "always holds"}`;
}

function coverageSummary(coverage: readonly RuleCoverage[]): string {
  const conditions = coverage.flatMap((rule) => rule.conditions);
  const both = conditions.filter(({ held, failed }) => held > 0 && failed > 0).length;
  const fired = coverage.filter((rule) => rule.fired > 0).length;
  return `${fired} of ${counted(coverage.length, "rule")} fired, ${both} of ${counted(conditions.length, "condition")} seen both ways`;
}

function report(tests: readonly TestRun[], failed: number, coverage: readonly RuleCoverage[] | null): object {
  return {
    ok: failed === 0,
    passed: tests.length - failed,
    failed,
    tests: tests.map(({ test, decision, failures }) => ({
      name: test.name,
      file: test.source.label,
      line: positionAt(test.source, test.start).line + 1,
      ok: failures.length === 0,
      effect: decision.effect,
      rule_ids: decision.ruleIds,
      warnings: decision.warnings ?? [],
      unknown: decision.unknown,
      failures,
    })),
    ...(coverage === null
      ? {}
      : {
          coverage: coverage.map(({ rule, fired, conditions }) => ({
            where: whereOf(rule),
            id: rule.id,
            fired,
            conditions,
          })),
        }),
  };
}
