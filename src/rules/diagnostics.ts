// What the checker says: the table of codes, and one finding with its place.
import type { Span } from "./ast.ts";
import type { Source } from "./source.ts";

/** Every code, in plain words. `E…` rejects the file, `W…` and `I…` do not. The README's list is tested against it. */
export const CODES = Object.freeze({
  E101: "something else was expected here",
  E102: "no such effect or statement",
  E103: "no such subject or clause",
  E104: "a quoted text is not closed, or has an escape that is not known",
  E105: "a character that the language does not use",
  E106: "a bracket is not closed, or closes nothing",
  E107: "a number, unit, time, date or address that cannot be read",
  E108: "a habit from another language",
  E109: "a value is missing",
  E111: "a clause is given twice",
  E112: "brackets or `not` are nested too deeply",
  E113: "a `limit` or `budget` without an amount",
  E114: "something that the statement does not count",
  E115: "a period that is missing, not known or out of range",
  E116: "an amount that cannot be counted",
  E201: "no such attribute",
  E202: "no such `@name`",
  E203: "an `@name` of the wrong kind",
  E204: "values of different dimensions are compared",
  E205: "the operator does not fit the attribute",
  E206: "not one of the attribute's values",
  E207: "no unscoped `default` line",
  E208: "two `default` lines for the same requests disagree",
  E209: "an `@name` is made twice",
  E210: "an `@name` is made of itself",
  E211: "`only` does not say what",
  E213: "a language version that this version does not read",
  E214: "no such time zone, or two of them in one file",
  E215: "a header that rules may not read",
  E216: "an empty range, or one that mixes dimensions",
  E217: "a status that a denial cannot have",
  E218: "the rules cannot be read",
  E219: "a `test` without an `expect`",
  E220: "a `given` that no request can have",
  E221: "no rule has this id",
  E222: "a `test` fails",
  E223: "an attribute that `by` cannot count by",
  E224: "a `limit` or `budget` that is `shadow`",
  E230: "a rule in a file for tests alone",
  E501: "what rules on an organisation, a team or a key cannot hold",
  W301: "a model, provider, team or key that is most likely misspelt",
  W302: "a price outside $0.001/M to $1000/M",
  W303: "the same rule twice",
  W304: "an `allow` or a `shadow` that changes nothing",
  W305: "`until` is past",
  W306: "a rule that a caller can dodge",
  W307: "a rule that none of the models it names can meet",
  W308: "one id for different rules",
  W309: "an `@name` that nothing uses",
  W310: "a rule that another one covers",
  W311: "`only` rules that leave no model",
  W312: "conditions that never hold together",
  W313: "a condition that always holds",
  W314: "a part of a condition that never holds, or adds nothing",
  W315: "an `unless` that always holds",
  W316: "a counter that a caller picks",
  I401: "a live `deny` or `only` that no `test` meets",
} as const);

export type Code = keyof typeof CODES;

/** `info` is a hint: `tollgate check --strict` passes it. */
export type Severity = "error" | "warning" | "info";

/** One finding. */
export interface Diagnostic {
  readonly code: Code;
  readonly severity: Severity;
  /** null when the finding is about the rule set and no one place in it. */
  readonly source: Source | null;
  /** Offsets in the source's text; an empty span points between characters. */
  readonly span: Span;
  /** The cause: lower case, no full stop, the user's text in backticks. */
  readonly message: string;
  /** What to do about it, or null. */
  readonly help: string | null;
}

/** Makes a diagnostic; the severity is the code's. */
export function diagnostic(
  code: Code,
  source: Source | null,
  span: Span,
  message: string,
  help: string | null = null,
): Diagnostic {
  return { code, severity: severityOf(code), source, span, message, help };
}

/** A code's severity. */
export function severityOf(code: Code): Severity {
  if (code.startsWith("E")) return "error";
  return code.startsWith("W") ? "warning" : "info";
}

/** Whether a finding rejects the rule set. */
export function isError(finding: Diagnostic): boolean {
  return finding.severity === "error";
}

/** Errors before warnings of the same place; by file, then by place. */
export function sortDiagnostics(all: readonly Diagnostic[]): Diagnostic[] {
  const nameOf = (finding: Diagnostic): string => finding.source?.name ?? "";
  return [...all].sort((a, b) => {
    if (nameOf(a) !== nameOf(b)) return nameOf(a) < nameOf(b) ? -1 : 1;
    return a.span.start - b.span.start || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0);
  });
}
