// The error reference: every entry's example draws its code, its repair does not, and the page is current.
import { readFileSync } from "node:fs";
import t from "tap";
import { createCheckCommand } from "../../src/cli/check.ts";
import { CODES, type Code } from "../../src/rules/diagnostics.ts";
import { checkText, inlineSource } from "../../src/rules/inline-text.ts";
import { ALL_CODES, entryText, REFERENCE, referencePage } from "../../src/rules/reference.ts";
import { ERRORS_FILE } from "../docs/made.ts";
import { runIn } from "../support/cli.ts";
import { CATALOGUE, NOW_MS, report } from "./samples.ts";

/** Codes about directories and file names, which no text draws. */
const WITHOUT_TEXT: readonly Code[] = ["E218", "E230"];

/** What the code is drawn by stands on a team, not in a file. */
const ON_A_TEAM: readonly Code[] = ["E501"];

function codesOnTeam(text: string): string[] {
  const source = inlineSource({ scope: "team", subject: { id: "ml", alias: "ml" }, text: `${text}\n` });
  return checkText(source, CATALOGUE, NOW_MS).diagnostics.map(({ code }) => code);
}

function codesOf(text: string): string[] {
  const rules = /^default (allow|deny)( |$)/m.test(text) ? text : `default allow\n${text}`;
  return [...report(`${rules}\n`).matchAll(/^\w+\[(\w+)\]/gm)].map(([, code = ""]) => code);
}

t.test("each example draws its code and no error beside, each repair draws nothing worse than a hint", async (t) => {
  for (const code of ALL_CODES) {
    const { wrong, right } = REFERENCE[code];
    if (wrong === null || right === null) {
      t.ok(WITHOUT_TEXT.includes(code), code);
      continue;
    }
    const codesIn = ON_A_TEAM.includes(code) ? codesOnTeam : codesOf;
    const found = codesIn(wrong);
    t.ok(found.includes(code), `${code}: ${wrong} draws ${found}`);
    t.same(new Set(found), new Set([code]), `${code}: ${wrong}`);
    t.same(codesIn(right), [], `${code}: ${right}`);
  }
});

t.test("rules/ERRORS.md is current; `node test/docs/write.ts` writes it", async (t) => {
  t.equal(readFileSync(ERRORS_FILE, "utf8"), referencePage());
  for (const code of ALL_CODES) t.ok(referencePage().includes(`## ${code}: ${CODES[code]}\n`), code);
});

t.test("check --explain prints one entry, in either case and as data, and knows what is near", async (t) => {
  const cwd = t.testdir({});
  const command = createCheckCommand(() => ({ directory: cwd, catalogue: CATALOGUE }));
  const run = (argv: readonly string[]) => runIn(cwd, command.run, argv);
  t.same(await run(["--explain", "e102"]), { code: 0, stdout: entryText("E102"), stderr: "" });
  t.match(entryText("E102"), /^E102: no such effect or statement\n\n.*\n\nwrong:\n {4}dney model gpt-4\n\n/);
  t.match(JSON.parse((await run(["--explain", "W313", "--json"])).stdout), {
    code: "W313",
    severity: "warning",
    meaning: CODES.W313,
    ...REFERENCE.W313,
  });
  await t.rejects(run(["--explain", "E1022"]), { exitCode: 64, message: /unknown code `E1022`: did you mean `E102`/ });
  await t.rejects(run(["--explain", "E102", "rules"]), { exitCode: 64, message: /--explain stands alone/ });
});
