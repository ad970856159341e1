// `tollgate fmt`: comments stay, twice is once, and the meaning is the same.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import type { Command } from "../../src/cli/command.ts";
import { createFmtCommand } from "../../src/cli/fmt.ts";
import { lineDiff } from "../../src/cli/line-diff.ts";
import { format } from "../../src/rules/format.ts";
import { parseFile, StatementCache } from "../../src/rules/parse.ts";
import { type Ran, runIn } from "../support/cli.ts";
import { goldenFiles } from "../support/golden-file.ts";
import { statements } from "./arbitrary.ts";
import { CATALOGUE, source } from "./samples.ts";

/** Trees without places. */
function trees(text: string): string | null {
  const { statements, errors } = parseFile(source(text), new StatementCache());
  if (errors.length > 0) return null;
  const place = new Set(["span", "nameSpan"]);
  return JSON.stringify(
    statements.map(({ tree }) => tree),
    (key, value) => (place.has(key) ? undefined : typeof value === "bigint" ? String(value) : value),
  );
}

const comments = (text: string): string[] =>
  [...text.matchAll(/"(?:[^"\\\n]|\\.)*"|#[^\n]*/g)]
    .map(([found]) => found.trimEnd())
    .filter((found) => found.startsWith("#"));

t.test("the layout", async (t) => {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");
  t.equal(format(read("format.before.rules")), read("format.after.rules"));
  t.equal(format("dney\n"), null);
  t.equal(format(""), "");
  t.equal(format("\n\n# x"), "# x\n");
});

/** Text with blanks, line breaks and comments strewn in where they mean nothing. */
const strewn = fc.tuple(statements, fc.infiniteStream(fc.nat(30))).map(([rules, dice]) => {
  const roll = (): number => dice.next().value ?? 0;
  const gap = (text: string): string =>
    text.replace(/"[^"]*"|[[(,] ?| /g, (found) => {
      if (found.startsWith('"')) return found;
      const die = roll();
      if (die < 3) return `${found}  `;
      if (die < 5) return `${found}\n   `;
      return die === 5 ? `${found} # it's "${die}"\n ` : found;
    });
  const texts = rules.map((rule) => `${gap(rule)}${roll() < 5 ? "  # end" : ""}${"\n".repeat(1 + (roll() % 4))}`);
  const block = rules.filter(
    (rule) => /^(deny|allow|only|shadow|off|limit|budget)/.test(rule) && !rule.includes(" for "),
  );
  if (block.length > 0)
    texts.push(
      `for team  x {${block.map((rule) => `\n   ${gap(rule).replaceAll("\n ", "\n    ")}`).join("\n\n\n")}\n#c\n   }`,
    );
  return texts.join("").replaceAll("\n", roll() < 5 ? "\r\n" : "\n");
});

t.test("what is laid out means what it meant, keeps its comments, and is laid out already", async (t) => {
  let changed = 0;
  fc.assert(
    fc.property(strewn, (text) => {
      const before = trees(text);
      const after = format(text);
      if (before === null || after === null) return before === after;
      if (after !== text) changed += 1;
      const same =
        trees(after) === before && comments(after).join("\n") === comments(text.replaceAll("\r", "")).join("\n");
      return same && format(after) === after;
    }),
    { numRuns: 1000 },
  );
  t.ok(changed > 500, `${changed} texts were laid out`);
});

t.test("the shipped rules and the golden files keep their meaning", async (t) => {
  const root = join(import.meta.dirname, "..", "..");
  for (const name of ["models.rules", "teams.rules"]) {
    const text = readFileSync(join(root, "rules", name), "utf8");
    t.equal(format(text), text, `${name} is laid out`);
  }
  for (const { name, input } of goldenFiles("rules", () => "")) {
    const after = format(input);
    t.equal(after === null ? null : trees(after), trees(input), name);
  }
});

async function run(cwd: string, argv: readonly string[]): Promise<Ran> {
  const command: Command = createFmtCommand(() => ({ directory: join(cwd, "rules"), catalogue: CATALOGUE }));
  return runIn(cwd, command.run, argv);
}

t.test("the command writes, checks or shows", async (t) => {
  const cwd = t.testdir({
    rules: { "a.rules": "default   allow\n", "b.rules": "deny team ml\n", "c.rules": "dney\n" },
  });
  const file = join(cwd, "rules", "a.rules");
  t.same(await run(cwd, ["--check", "rules/a.rules"]), {
    code: 2,
    stdout: "rules/a.rules\n",
    stderr: "1 file: 1 would change\n",
  });
  t.same(await run(cwd, ["--diff", "rules/a.rules"]), {
    code: 2,
    stdout: "--- rules/a.rules\n+++ rules/a.rules\n@@ -1,2 +1,2 @@\n-default   allow\n+default allow\n \n",
    stderr: "1 file: 1 would change\n",
  });
  t.equal(readFileSync(file, "utf8"), "default   allow\n");
  t.match(await run(cwd, []), {
    code: 2,
    stdout: "rules/a.rules\n",
    stderr: /E102(?:.|\n)*3 files: 1 changed, 1 with errors\n$/,
  });
  t.equal(readFileSync(file, "utf8"), "default allow\n");
  t.match(await run(cwd, ["--check", "rules/a.rules", "rules/b.rules"]), { code: 0, stdout: "" });
  t.match(await run(t.testdir({ rules: {} }), []), { code: 2, stdout: /E218/ });
  await t.rejects(run(cwd, ["--check", "--diff"]), /not both/);
});

t.test("a diff has hunks with their places", async (t) => {
  const lines = Array.from({ length: 30 }, (_, i) => `${i}`);
  const after = lines.map((line, i) => (i === 3 || i === 20 ? `${line}!` : line)).filter((_, i) => i !== 25);
  t.equal(
    lineDiff("x", lines.join("\n"), after.join("\n")),
    "--- x\n+++ x\n@@ -1,7 +1,7 @@\n 0\n 1\n 2\n-3\n+3!\n 4\n 5\n 6\n@@ -18,12 +18,11 @@\n 17\n 18\n 19\n-20\n+20!\n 21\n 22\n 23\n 24\n-25\n 26\n 27\n 28\n",
  );
});
