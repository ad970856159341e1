// A request described on a command line, `model=gpt-4 team=interns`: read as the `given` of a test.
import type { Vocabulary } from "./catalogue.ts";
import { CheckSet } from "./check-context.ts";
import { CheckMemory } from "./check-memory.ts";
import { addTest } from "./check-test.ts";
import type { CheckedTest } from "./checked.ts";
import { type Diagnostic, isError, sortDiagnostics } from "./diagnostics.ts";
import { zoneOf } from "./local-time.ts";
import { parseFile, StatementCache } from "./parse.ts";
import { type Scenario, scenarioOf } from "./scenario.ts";

/** Attributes that say when. */
const CLOCK = ["time", "hour", "day", "date", "weekday"];

/** What a description came to; the scenario is null when it has an error. */
export interface Described {
  readonly scenario: Scenario | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** @param facts `attribute=value`, a list with commas. Times are UTC. @param nowMs the moment, unless the facts name one. */
export function describe(facts: readonly string[], vocabulary: Vocabulary, nowMs: number): Described {
  const parts = facts.map((fact) => ({
    name: fact.slice(0, fact.indexOf("=")).trim(),
    value: fact.slice(fact.indexOf("=") + 1),
  }));
  const at = parts.find(({ name }) => name === "at");
  const given = parts
    .filter(({ name }) => name !== "at")
    .map(({ name, value }) => `${name} ${valueText(vocabulary, name, value)}`);
  const lines = given.length === 0 ? "" : `  given ${given.join(",\n    ")}\n`;
  const text = `test "request" ${at === undefined ? "" : `at ${at.value} `}{\n${lines}  expect allow\n}\n`;
  const source = { name: "request", label: "request", text };
  const { statements, errors } = parseFile(source, new StatementCache());
  const set = new CheckSet(vocabulary, nowMs, new CheckMemory());
  for (const error of errors) set.add(error);
  const zone = zoneOf("UTC");
  if (zone === null) throw new Error("this runtime has no UTC");
  const tests: CheckedTest[] = [];
  for (const { tree, offset } of statements)
    if (tree.kind === "test") addTest(set, tests, tree, { source, offset, zone });
  const diagnostics = sortDiagnostics(set.findings);
  const test = tests[0];
  if (test === undefined || diagnostics.some(isError)) return { scenario: null, diagnostics };
  const timed = at !== undefined || parts.some(({ name }) => CLOCK.includes(name));
  return { scenario: scenarioOf(timed ? test : { ...test, atMs: nowMs }, vocabulary), diagnostics };
}

/** Names are quoted, so that a shell word may hold anything; numbers and the like are left as they are. */
function valueText({ attributes }: Vocabulary, name: string, value: string): string {
  const attribute = attributes.get(name.replace(/\[.*$/s, ""));
  if (attribute?.type !== "name") return value;
  const isSet = attribute.name === "role" || attribute.name === "tag";
  const quoted = (isSet ? value.split(",") : [value]).map((one) => JSON.stringify(one.trim()));
  return quoted.length === 1 ? (quoted[0] ?? "") : `[${quoted.join(", ")}]`;
}
