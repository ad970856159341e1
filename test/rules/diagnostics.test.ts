// Golden files: a rule file, and the report that `tollgate check` gives for it. One file for every code.
import t from "tap";
import { build, snapshotOf } from "../../src/rules/build.ts";
import type { NameIndex } from "../../src/rules/catalogue.ts";
import { CODES, isError } from "../../src/rules/diagnostics.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { renderGithub, renderLsp, renderText } from "../../src/rules/render.ts";
import { goldenFiles } from "../support/golden-file.ts";
import { CATALOGUE, inlineReport, NOW_MS, report, source } from "./samples.ts";

const GOLDEN = goldenFiles("rules", report);
/** Codes about directories and file names, not texts: watch.test.ts and tests.test.ts have them. */
const ELSEWHERE = new Set(["E218", "E230"]);

/** Rules kept on a team. */
const INLINE = goldenFiles("inline", inlineReport);

for (const [golden, reportOn] of [
  [GOLDEN, report],
  [INLINE, inlineReport],
] as const) {
  for (const { name, input, expected } of golden) {
    t.test(`the report on ${name}`, async (t) => {
      const found = reportOn(input);
      t.equal(found.trimEnd(), expected.trimEnd());
      const code = /^[EWI]\d{3}/.exec(name)?.[0];
      if (code !== undefined) t.match(found, `[${code}]`, "the file's code is in the report");
    });
  }
}

t.test("every code has a golden file", async (t) => {
  const missing = Object.keys(CODES).filter(
    (code) => !ELSEWHERE.has(code) && ![...GOLDEN, ...INLINE].some(({ name }) => name.startsWith(code)),
  );
  t.same(missing, []);
});

t.test("teams and keys that are looked up are reported on as if they were listed", async (t) => {
  const index = (names: readonly string[]): NameIndex => ({
    ...{ state: 1, has: (name) => names.includes(name), near: () => names },
  });
  const lookedUp = { ...CATALOGUE, teams: () => index(["search", "ml"]), keys: () => index(["ci"]) };
  const text = "default allow\ndeny team [serch, ml, new, x-*]\ndeny key cj\ndeny key [ci, ci-*]\n";
  const { diagnostics } = build(snapshotOf([source(text)]), lookedUp, new StatementCache(), NOW_MS);
  t.equal(renderText(diagnostics), report(text));
  t.match(renderText(diagnostics), /unknown team `serch`[\s\S]*unknown key `cj`/);
});

t.test("a rule set with any error is rejected whole", async (t) => {
  for (const { name, input } of GOLDEN) {
    const { set, diagnostics } = build(snapshotOf([source(input)]), CATALOGUE, new StatementCache(), NOW_MS);
    t.equal(set === null, diagnostics.some(isError), name);
  }
});

t.test("JSON is the language server's shape, counted from 0 in UTF-16 units", async (t) => {
  const { diagnostics } = build(
    snapshotOf([source('default allow\n# 😀\ndeny team "😀" dney x\n')]),
    CATALOGUE,
    new StatementCache(),
    NOW_MS,
  );
  t.match(renderLsp(diagnostics), [
    {
      file: "rules/a.rules",
      range: { start: { line: 2, character: 15 }, end: { line: 2, character: 19 } },
      severity: 1,
      code: "E103",
      source: "tollgate",
      message: "unknown subject `dney`",
    },
  ]);
  t.match(
    report('default allow\n# 😀\ndeny team "😀" dney x\n'),
    "rules/a.rules:3:15\n",
    "people count characters from 1",
  );
});

t.test("GitHub annotations cannot be broken out of", async (t) => {
  const evil = source("default allow\ndeny team ml as a%0A::error::x as b\n", "rules/a,b:c.rules");
  const { diagnostics } = build(snapshotOf([evil]), CATALOGUE, new StatementCache(), NOW_MS);
  t.equal(
    renderGithub(diagnostics),
    "::error file=rules/a%2Cb%3Ac.rules,line=2,endLine=2,col=18,endColumn=19,title=tollgate E105::unexpected character `%25`: put a value that holds it in double quotes\n",
  );
});

t.test("control characters in a file do not reach the terminal", async (t) => {
  t.notMatch(report('default allow\ndeny team "\u001b[2J\u202e" dney\n'), /\p{Cc}(?<!\n)|\p{Cf}/u);
});

/** A workflow command as GitHub's runner reads it: properties up to the second `::`, then data, both unescaped. */
function readCommand(line: string): { command: string; properties: Map<string, string>; data: string } {
  const [, command = "", list = "", data = ""] = /^::(\w+) (.*?)::(.*)$/.exec(line) ?? [];
  const unescapeData = (text: string): string =>
    text.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%25", "%");
  const unescapeValue = (text: string): string => unescapeData(text.replaceAll("%3A", ":").replaceAll("%2C", ","));
  const properties = list.split(",").map((pair): [string, string] => {
    const at = pair.indexOf("=");
    return [pair.slice(0, at), unescapeValue(pair.slice(at + 1))];
  });
  return { command, properties: new Map(properties), data: unescapeData(data) };
}

const LEVELS = { error: "error", warning: "warning", info: "notice" } as const;

t.test("every report is what GitHub reads and what a language client takes", async (t) => {
  for (const { name, input } of GOLDEN) {
    const text = `# 😀\r\n${input}`;
    const { diagnostics } = build(snapshotOf([source(text)]), CATALOGUE, new StatementCache(), NOW_MS);
    const commands = renderGithub(diagnostics).split("\n").slice(0, -1).map(readCommand);
    const clientSide = renderLsp(diagnostics);
    t.same([commands.length, clientSide.length], [diagnostics.length, diagnostics.length], name);
    const lines = text.split("\n");
    for (const [i, { code, severity, message, help, source: of, span }] of diagnostics.entries()) {
      const { command, properties, data } = commands[i] as ReturnType<typeof readCommand>;
      t.equal(command, LEVELS[severity]);
      t.equal(data, help === null ? message : `${message}: ${help}`);
      t.equal(properties.get("title"), `tollgate ${code}`);
      const number = (key: string): number => Number(properties.get(key));
      const { range } = clientSide[i] as (typeof clientSide)[number];
      if (of === null) {
        t.same([...properties.keys()], ["title"]);
        continue;
      }
      t.equal(properties.get("file"), of.label);
      t.ok(number("line") >= 1 && number("endLine") >= number("line"), name);
      // GitHub refuses columns of a span over several lines.
      t.equal(properties.has("col"), number("line") === number("endLine"));
      if (properties.has("col")) t.ok(number("col") >= 1 && number("endColumn") >= number("col"));
      t.equal(range.start.line + 1, number("line"));
      const offset = ({ line, character }: typeof range.start): number =>
        lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0) + character;
      t.same([offset(range.start), offset(range.end)], [span.start, span.end], `${name} ${code}`);
    }
  }
});
