// Rules kept on an organisation, a team or a key, as text: a rule set of its own, whose default is to allow.
import type { InlineRules } from "../types.ts";
import type { DefaultNode, RuleNode, Statement } from "./ast.ts";
import { build, snapshotOf } from "./build.ts";
import { type RuleCatalogue, vocabularyOf } from "./catalogue.ts";
import { type Checked, checkFiles } from "./check.ts";
import { type Diagnostic, diagnostic, sortDiagnostics } from "./diagnostics.ts";
import { type ParsedFile, parseFile, StatementCache, shift } from "./parse.ts";
import type { Source } from "./source.ts";

/** What is not denied here is left to the rule files. */
const REST: Source = { name: "default", label: "default", text: "default allow\n" };

/** How ids and reports name the text: `team:ml` and `team ml`; `team ml (IAM)` where it is made of IAM rules. */
export function inlineSource({ scope, subject, text, origin }: InlineRules): Source {
  const label = `${nameOf(scope, subject.alias)}${origin === "iam" ? " (IAM)" : ""}`;
  return { name: `${scope}:${subject.alias}`, label, text, keptOn: scope };
}

/** Whether an id in a record is of a rule that was kept on a subject, as `team:ml:7`. */
export function isKeptId(ruleId: string): boolean {
  return /^(?:org|team|user|key):/.test(ruleId);
}

/** `team ml`. */
export function nameOf(scope: InlineRules["scope"], alias: string): string {
  return `${scope} ${alias}`;
}

/** What of a catalogue is needed to evaluate kept rules: the attributes that plugins register. */
export type KnownAttributes = Pick<RuleCatalogue, "attributes">;

/** Names are checked when rules are written: when they are evaluated, one that is gone is no error. */
function withoutNames({ attributes }: KnownAttributes): RuleCatalogue {
  return { models: () => [], ...(attributes === undefined ? {} : { attributes }) };
}

/**
 * Checks the text as rule files are checked, its tests too, for whoever writes it.
 * @param nowMs wall clock, milliseconds since the epoch
 */
export function checkText(source: Source, catalogue: RuleCatalogue, nowMs: number): Checked {
  const cache = new StatementCache();
  const { set, diagnostics } = build(snapshotOf([source, REST]), catalogue, cache, nowMs);
  return withoutWidening(parseFile(source, cache), { set, diagnostics });
}

/** Checks a text that was checked when it was written, to evaluate it: its tests are left out. */
export function readText(source: Source, known: KnownAttributes): Checked {
  const cache = new StatementCache();
  const { statements, errors } = parseFile(source, cache);
  const file = { source, errors, statements: statements.filter(({ tree }) => tree.kind !== "test") };
  return withoutWidening(file, checkFiles([file, parseFile(REST, cache)], vocabularyOf(withoutNames(known)), 0, false));
}

/** The check, with an error for each statement that could widen. */
function withoutWidening(file: ParsedFile, { set, diagnostics }: Checked): Checked {
  const refused = refusedIn(file);
  if (refused.length === 0) return { set, diagnostics };
  const starts = new Set(refused.map(({ span }) => span.start));
  const others = diagnostics.filter((finding) => finding.source !== file.source || !starts.has(finding.span.start));
  return { set: null, diagnostics: sortDiagnostics([...refused, ...others]) };
}

/** What could widen: nothing that is kept on a subject may. */
function refusedIn({ source, statements }: ParsedFile): Diagnostic[] {
  return statements.flatMap(({ tree, offset }) =>
    wideningIn(tree).map((node) => {
      const word = node.kind === "default" ? "default" : "allow";
      const message = `\`${word}\` stands in rule files only: rules on an organisation, a team or a key narrow what those allow`;
      const help = word === "allow" ? "write what is denied: `deny … unless …` or `only …`" : "take it out";
      return diagnostic("E501", source, shift(node.span, offset), message, help);
    }),
  );
}

function wideningIn(tree: Statement): readonly (RuleNode | DefaultNode)[] {
  if (tree.kind === "default") return [tree];
  const rules = tree.kind === "scope" ? tree.rules : tree.kind === "rule" ? [tree] : [];
  return rules.filter(({ effect }) => effect === "allow");
}
