// Turns what zod found into problems with places and suggestions, and prints problems with a caret.
import type { z } from "zod";
import { suggest } from "../suggest.ts";
import { knownKeys } from "../zod-keys.ts";
import type { ConfigSource, Problem, Span } from "./source.ts";

type Issue = z.core.$ZodIssue;

/** Where issues are to be told: their paths start at `base` in the source. */
export interface Placing {
  readonly source: ConfigSource | null;
  readonly base: readonly PropertyKey[];
}

/** A problem that also says its path, for values without a source. */
export interface PlacedProblem extends Problem {
  /** `limits.body`, `plugins[2].config.words`. */
  readonly path: string;
}

/** zod's issues as problems, one for each unknown key; `schema` tells the keys that are known. */
export function problemsOf(issues: readonly Issue[], schema: z.core.$ZodType, placing: Placing): PlacedProblem[] {
  return issues.flatMap((issue) => {
    const narrowed = narrow(issue);
    if (narrowed !== null) return problemsOf(narrowed, schema, placing);
    if (issue.code === "unrecognized_keys") return unknownKeys(issue, schema, placing);
    const path = [...placing.base, ...issue.path];
    const missing = issue.code === "invalid_type" && isMissing(issue);
    const span = missing
      ? (placing.source?.keySpan(path.slice(0, -1)) ?? null)
      : (placing.source?.valueSpan(path) ?? null);
    return [{ path: pathText(path), span, ...wording(issue, path, placing.source) }];
  });
}

/** A union's issues reduced to those of the one branch that the value was meant for; null when that is not clear. */
function narrow(issue: Issue): Issue[] | null {
  if (issue.code !== "invalid_union") return null;
  const atRoot = (one: Issue): boolean => one.path.length === 0;
  const rightKind = issue.errors.filter((branch) => !branch.some((one) => one.code === "invalid_type" && atRoot(one)));
  const meant = rightKind.length > 1 ? rightKind.filter((branch) => !branch.some(atRoot)) : rightKind;
  if (meant.length !== 1) return null;
  return (meant[0] ?? []).map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}

function unknownKeys(
  issue: Extract<Issue, { code: "unrecognized_keys" }>,
  schema: z.core.$ZodType,
  { source, base }: Placing,
): PlacedProblem[] {
  const known = knownKeys(schema, issue.path);
  return issue.keys.map((key) => {
    const path = [...base, ...issue.path, key];
    const near = suggest(key, known);
    const help = near === null ? `the keys here are ${known.join(", ")}` : `did you mean \`${near}\`?`;
    return { path: pathText(path), span: source?.keySpan(path) ?? null, message: `unknown key \`${key}\``, help };
  });
}

function isMissing(issue: Issue): boolean {
  return "input" in issue ? issue.input === undefined : issue.message.endsWith("received undefined");
}

function wording(
  issue: Issue,
  path: readonly PropertyKey[],
  source: ConfigSource | null,
): Pick<Problem, "message" | "help"> {
  const name = `\`${String(path.at(-1) ?? "the config")}\``;
  switch (issue.code) {
    case "invalid_type":
      if (isMissing(issue)) return { message: `${name} is missing`, help: null };
      return wrongKind(issue);
    case "invalid_value":
      return oneOf(issue.values.map(String), shownValue(path, source));
    case "invalid_union":
      return { message: `expected ${unionKinds(issue)}`, help: null };
    case "too_small":
      return { message: tooSmall(issue), help: null };
    case "custom":
      return { message: issue.message, help: typeof issue.params?.help === "string" ? issue.params.help : null };
    default:
      return { message: lowerFirst(issue.message), help: null };
  }
}

/** In this house's words, unless the schema has words of its own. */
function tooSmall(issue: Extract<Issue, { code: "too_small" }>): string {
  if (!issue.message.startsWith("Too small")) return issue.message;
  if (issue.origin === "array") return `at least ${issue.minimum} needed in this list`;
  return issue.origin === "string" ? "an empty text" : `less than ${issue.minimum}`;
}

/** A schema may explain a wrong kind in words of its own: the cause, a colon, the help. */
function wrongKind(issue: Extract<Issue, { code: "invalid_type" }>): Pick<Problem, "message" | "help"> {
  if (issue.message.startsWith("Invalid input")) return { message: `expected ${kind(issue.expected)}`, help: null };
  const colon = issue.message.indexOf(": ");
  return { message: issue.message.slice(0, colon), help: issue.message.slice(colon + 2) };
}

function oneOf(values: readonly string[], written: string | null): Pick<Problem, "message" | "help"> {
  const near = written === null ? null : suggest(written, values);
  const message = written === null ? "not one of the values here" : `unknown value \`${written}\``;
  return { message, help: near === null ? `write one of ${values.join(", ")}` : `did you mean \`${near}\`?` };
}

/** What was written there, unless it came from the environment or a file: then it may be a secret. */
function shownValue(path: readonly PropertyKey[], source: ConfigSource | null): string | null {
  const span = source?.valueSpan(path) ?? null;
  if (source === null || span === null || source.isInterpolated(path)) return null;
  return source.text.slice(span.start, span.end).replace(/^(["'])(.*)\1$/s, "$2");
}

function unionKinds(issue: Extract<Issue, { code: "invalid_union" }>): string {
  const kinds = issue.errors.map((branch) =>
    branch.find((one) => one.code === "invalid_type" && one.path.length === 0),
  );
  return [...new Set(kinds.flatMap((one) => (one?.code === "invalid_type" ? [kind(one.expected)] : [])))].join(" or ");
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  array: "a list",
  object: "a map of keys",
  record: "a map of keys",
  boolean: "true or false",
  int: "a whole number",
};

function kind(expected: string): string {
  return KINDS[expected] ?? `a ${expected}`;
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

/** `["plugins", 2, "config"]` → `plugins[2].config`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? String(step) : `${text}.${String(step)}`;
  }, "");
}

/** All problems as people read them: one block each, in the file's order. */
export function renderProblems(source: ConfigSource, problems: readonly Problem[]): string {
  const inOrder = [...problems].sort((a, b) => (a.span?.start ?? -1) - (b.span?.start ?? -1));
  return inOrder.map((problem) => render(source, problem)).join("\n\n");
}

function render(source: ConfigSource, { span, message, help }: Problem): string {
  const hint = help === null ? "" : ` ${help}`;
  if (span === null) return `error: ${message}\n  --> ${source.name}${help === null ? "" : `\n   = ${help}`}`;
  const { line, column } = source.position(span.start);
  const text = lineText(source.text, span.start);
  const number = String(line);
  const bar = `${" ".repeat(number.length)} |`;
  const carets = "^".repeat(caretLength(span, text, column));
  return [
    `error: ${message}`,
    `${" ".repeat(number.length)}--> ${source.name}:${line}:${column}`,
    bar,
    `${number} | ${maskLine(text)}`,
    `${bar} ${text.slice(0, column - 1).replace(/[^\t]/g, " ")}${carets}${hint}`,
  ].join("\n");
}

function lineText(text: string, offset: number): string {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", start);
  return text.slice(start, end < 0 ? text.length : end).replace(/\r$/, "");
}

function caretLength(span: Span, line: string, column: number): number {
  return Math.max(1, Math.min(span.end - span.start, line.length - column + 1));
}

const SECRET_LINE = /^(.*?\b[\w-]*(?:k[ey]{1,3}\w?|token|secret|passw\w*)["']?\s*:\s*["']?)([^\s"'$][^\s"',}]*)/i;

/** A line as it may be printed: a literal secret in it becomes dots of the same length, so that carets still fit. */
function maskLine(line: string): string {
  const dots = (secret: string): string => "•".repeat(secret.length);
  return line
    .replace(/(:\/\/[^\s/@:]*:)([^\s/@]+)(?=@)/g, (_all, before: string, secret: string) => before + dots(secret))
    .replace(SECRET_LINE, (_all, before: string, secret: string) => before + dots(secret))
    .replace(/\bsk-[\w-]{8,}/g, dots);
}
