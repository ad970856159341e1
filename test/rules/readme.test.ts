// rules/README.md and the shipped rules say what is true of this version.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { BUDGET_ATTRIBUTES } from "../../plugins/budget/attributes.ts";
import { ATTRIBUTES } from "../../src/rules/attribute-table.ts";
import { build } from "../../src/rules/build.ts";
import { CODES } from "../../src/rules/diagnostics.ts";
import { createRuleService } from "../../src/rules/engine.ts";
import { readDirectory } from "../../src/rules/load.ts";
import { outsideAttribute } from "../../src/rules/outside-attributes.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { call, checkedSet, decideBy, GPT4, MINI, NOW_MS, principal, report, target } from "./samples.ts";

const RULES = join(import.meta.dirname, "..", "..", "rules");
const README = readFileSync(join(RULES, "README.md"), "utf8");

/** The fenced blocks of one kind. */
function blocks(kind: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${kind}\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] ?? "");
}

/** First cells of the table rows under a heading. */
function cells(heading: string): string[] {
  const section = README.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| (.+?) \|/gm)].map((match) => match[1] ?? "");
}

t.test("every example of the README is accepted", async (t) => {
  const examples = blocks("rules");
  t.ok(examples.length >= 2);
  for (const example of examples) {
    const rules = /^default /m.test(example) ? example : `default allow\n${example}`;
    t.ok(checkedSet(rules).rules.length > 0, example);
  }
});

t.test("the messages that the README shows are those that come", async (t) => {
  const [sentence, excerpt] = blocks("text");
  const first = blocks("rules")[0] ?? "";
  const named = (text: string): string => text.replaceAll("rules/a.rules", "rules/models.rules");
  t.equal(`${named(decideBy(first)(call({ targets: [GPT4] }), principal()).denial?.message ?? "")}\n`, sentence);
  t.equal(named(report(first.replace("deny", "dney"))), excerpt);
});

t.test("the plugin that the README shows is the one that the tests run", async (t) => {
  const file = join(import.meta.dirname, "..", "support", "plugins", "prompt-words.ts");
  t.same(blocks("ts"), [readFileSync(file, "utf8")]);
});

t.test("the README lists every attribute and every code, with their own words", async (t) => {
  const attributes = [...ATTRIBUTES.values(), ...BUDGET_ATTRIBUTES.map((one) => outsideAttribute(one, null))];
  const listed = attributes.map(({ name, takesParam }) => `\`${takesParam ? `${name}["x"]` : name}\``);
  t.same(cells("Attributes").slice(1), listed);
  t.same(cells("Checking").slice(1), Object.keys(CODES));
  for (const { note, type, fixedBy } of attributes) t.ok(README.includes(`| ${type} | ${fixedBy} | ${note} |`), note);
  for (const [code, meaning] of Object.entries(CODES)) t.ok(README.includes(`| ${code} | ${meaning} |`), code);
});

t.test("the shipped rules are clean and hold the rule of the brochure", async (t) => {
  const snapshot = await readDirectory(RULES);
  const more = [target("claude-haiku-4-5", 5), target("gpt-4o", 10), target("claude-opus-4-1", 75)];
  const names = { models: () => [GPT4, MINI, ...more] };
  const { diagnostics, set } = build(snapshot, names, new StatementCache(), NOW_MS);
  t.same(diagnostics, []);
  t.ok(set);
  t.ok(snapshot.sources.some(({ text }) => text.split("\n").includes("deny model gpt-4 when price > 10")));
});

t.test("the shipped rules serve a plain key's small models and deny gpt-4", async (t) => {
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
  const service = createRuleService({ directory: RULES, catalogue: { models: () => [] }, clock });
  await service.load();
  for (const model of ["gpt-4o-mini", "claude-haiku-4-5", "claude-3-5-haiku-latest"]) {
    t.equal(service.decide(call({ targets: [target(model, 5)] }), principal()).effect, "allow", model);
  }
  t.match(service.decide(call(), principal()).denial, {
    message: /^Access denied: model gpt-4 \(price \$60\/M\) is denied by rules\/models\.rules:\d+ \(price > \$10\/M\)$/,
  });
  const contractor = principal({ team: "contractors" });
  t.match(
    service.decide(call({ targets: [MINI] }), contractor).denial,
    { ruleId: "office-hours" },
    "NOW_MS is a Saturday",
  );
});
