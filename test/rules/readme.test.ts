// rules/README.md and the shipped rules say what is true of this version.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { BUDGET_ATTRIBUTES } from "../../plugins/budget/attributes.ts";
import { loadConfig } from "../../src/config.ts";
import { createCatalogue } from "../../src/llm/catalogue.ts";
import { listedModels } from "../../src/llm/listed-models.ts";
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

/** The shipped files by name, as an edit leaves them. */
type Edit = (files: Map<string, string>) => void;

const BROCHURE = "deny model gpt-4 when price > 10";

/** What people do to the shipped rules first. */
const EDITS: Readonly<Record<string, Edit>> = {
  nothing: () => undefined,
  "the greeting's exception": (files) => change(files, "models.rules", BROCHURE, `${BROCHURE} unless key first-key`),
  "another price": (files) => change(files, "models.rules", BROCHURE, "deny model gpt-4 when price > 100"),
  "the rule taken out": (files) => change(files, "models.rules", `${BROCHURE}\n`, ""),
  "a deny of what was served": (files) => change(files, "models.rules", BROCHURE, "deny model gpt-4o-mini"),
  "all but one file": (files) => files.delete("teams.rules"),
  "all models denied": (files) => change(files, "models.rules", "default allow", "default deny"),
  "rules of one's own": (files) => files.set("models.rules", "default deny\nallow model gpt-4o-mini\n"),
  "one file for all": (files) => files.clear() ?? files.set("mine.rules", "default allow\n"),
  "other office hours": (files) => change(files, "teams.rules", "22:00..06:00", "09:00..17:00"),
  "no id": (files) => change(files, "teams.rules", " as price-cap", ""),
};

function change(files: Map<string, string>, name: string, from: string, to: string): void {
  const text = files.get(name) ?? "";
  if (!text.includes(from)) throw new Error(`${name} has no ${from}`);
  files.set(name, text.replace(from, to));
}

t.test("no first edit of the shipped rules is refused", async (t) => {
  const { sources } = await readDirectory(RULES);
  for (const [what, edit] of Object.entries(EDITS)) {
    const files = new Map(sources.map(({ name, text }) => [name.replace("rules/", ""), text]));
    edit(files);
    const directory = t.testdir(Object.fromEntries(files));
    const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 };
    const catalogue = { models: () => [GPT4, MINI], teams: () => ["ml", "id_ml"], keys: () => ["first-key"] };
    t.match(await createRuleService({ directory, catalogue, clock }).load(), { ok: true }, what);
  }
});

t.test(
  "the shipped rules are clean wherever they are, their tests pass, and they hold the brochure's rule",
  async (t) => {
    const snapshot = await readDirectory(RULES);
    const keys = [{ OPENAI_API_KEY: "x" }, { ANTHROPIC_API_KEY: "x" }, {}];
    const teams = [[], ["first"], ["first", "interns"]];
    for (const env of keys) {
      const config = loadConfig({ cwd: t.testdir({}), env });
      const catalogue = createCatalogue({ ...config, nowMs: NOW_MS });
      for (const known of teams) {
        const names = {
          models: () => catalogue.models(),
          providers: () => catalogue.providers(),
          listedModels: () => listedModels(NOW_MS),
          teams: () => known,
        };
        const { diagnostics, set, tests } = build(snapshot, names, new StatementCache(), NOW_MS);
        t.same(diagnostics, [], Object.keys(env).join());
        t.ok(set);
        t.ok(tests.length >= 8);
      }
    }
    t.ok(snapshot.sources.some(({ text }) => text.split("\n").includes(BROCHURE)));
  },
);

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
