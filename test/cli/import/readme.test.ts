// The migration page: its commands run, its report is what is printed, its rules are what the checker takes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { build, snapshotOf } from "../../../src/rules/build.ts";
import { StatementCache } from "../../../src/rules/parse.ts";
import { atPorts, runBlocks, startIn } from "../../docs/story.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../../src/cli/import/README.md"), "utf8");
const BLOCKS = [...PAGE.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text = ""]) => ({ language, text }));
const texts = (language: string): string[] =>
  BLOCKS.filter((block) => block.language === language).map(({ text }) => text);

t.test("the page's commands run and print what it shows", async (t) => {
  const directory = t.testdir({});
  const gateway = await startIn(directory);
  t.teardown(() => gateway.process.kill("SIGKILL"));
  const printed = runBlocks(texts("sh"), directory, gateway);
  t.equal(printed[0], atPorts(texts("text")[0] ?? "", gateway));
  t.match(printed.at(-1), /denied by rules\/ci\.rules:1/);
});

t.test("the page's rules are rules", async (t) => {
  const statements = [...PAGE.matchAll(/`((?:only|deny|let|limit|budget) [^`]+)`/g)].map(([, text = ""]) => text);
  t.ok(statements.length >= 20);
  for (const statement of statements) {
    const isGroup = statement.includes("@beta");
    const text = ["default allow", ...(isGroup ? statements.filter((one) => one.includes("@beta")) : [statement])];
    const source = { name: "x.rules", label: "x.rules", text: `${text.join("\n")}\n` };
    const { diagnostics } = build(snapshotOf([source]), { models: () => [] }, new StatementCache(), 0);
    t.strictSame(
      diagnostics.filter(({ severity }) => severity === "error"),
      [],
      statement,
    );
  }
});
