// Diagnostics as text for people, as the language server's JSON, and as GitHub annotations.
import type { Diagnostic } from "./diagnostics.ts";
import { lineText, type Position, positionAt } from "./source.ts";

/** The language server protocol's diagnostic, with the file it is about. Lines and characters count from 0. */
export interface LspDiagnostic {
  /** The file's label, or null when the finding is about the rule set as a whole. */
  readonly file: string | null;
  readonly range: { readonly start: LspPosition; readonly end: LspPosition };
  /** 1 error, 2 warning, 3 information. */
  readonly severity: 1 | 2 | 3;
  readonly code: string;
  readonly source: "tollgate";
  readonly message: string;
  readonly data: { readonly help: string | null };
}

const LSP_SEVERITY = { error: 1, warning: 2, info: 3 } as const;

interface LspPosition {
  readonly line: number;
  readonly character: number;
}

/** The report in text: an excerpt with carets for each finding, a blank line between them. */
export function renderText(findings: readonly Diagnostic[]): string {
  return findings.map(textOf).join("\n");
}

/** The findings as language-server diagnostics. */
export function renderLsp(findings: readonly Diagnostic[]): LspDiagnostic[] {
  return findings.map((finding) => {
    const [start, end] = rangeOf(finding);
    return {
      file: finding.source?.label ?? null,
      range: { start: lspPosition(start), end: lspPosition(end) },
      severity: LSP_SEVERITY[finding.severity],
      code: finding.code,
      source: "tollgate",
      message: finding.message,
      data: { help: finding.help },
    };
  });
}

/** The findings as GitHub workflow commands, one a line. */
export function renderGithub(findings: readonly Diagnostic[]): string {
  return findings.map(githubOf).join("");
}

function textOf(finding: Diagnostic): string {
  const head = `${finding.severity}[${finding.code}]: ${printable(finding.message)}\n`;
  const { source, help } = finding;
  if (source === null) return help === null ? head : `${head}  = help: ${printable(help)}\n`;
  const [start, end] = rangeOf(finding);
  const line = lineText(source, start.line);
  const number = String(start.line + 1);
  const gutter = " ".repeat(number.length);
  const carets = caretsOf(line, start.column, start.line === end.line ? end.column : line.length);
  return [
    `${head}${gutter}--> ${printable(source.label)}:${number}:${columnOf(line, start.column)}`,
    `${gutter} |`,
    `${number} | ${printable(line)}`,
    `${gutter} | ${carets}${help === null ? "" : ` ${printable(help)}`}`,
    "",
  ].join("\n");
}

/** Padding that keeps tabs, then a caret for each character. */
function caretsOf(line: string, from: number, to: number): string {
  const padding = [...line.slice(0, from)].map((char) => (char === "\t" ? "\t" : " ")).join("");
  return padding + "^".repeat(Math.max(1, [...line.slice(from, to)].length));
}

/** Columns for people count characters from 1. */
function columnOf(line: string, column: number): number {
  return [...line.slice(0, column)].length + 1;
}

function rangeOf(finding: Diagnostic): [Position, Position] {
  if (finding.source === null) return [NOWHERE, NOWHERE];
  return [positionAt(finding.source, finding.span.start), positionAt(finding.source, finding.span.end)];
}

const NOWHERE: Position = { line: 0, column: 0 };

function lspPosition(position: Position): LspPosition {
  return { line: position.line, character: position.column };
}

function githubOf(finding: Diagnostic): string {
  const text = finding.help === null ? finding.message : `${finding.message}: ${finding.help}`;
  const properties = [...githubPlace(finding), `title=${escapeProperty(`tollgate ${finding.code}`)}`];
  return `::${finding.severity === "info" ? "notice" : finding.severity} ${properties.join(",")}::${escapeData(text)}\n`;
}

/** An end column is only meant for a span on one line. */
function githubPlace(finding: Diagnostic): string[] {
  const { source } = finding;
  if (source === null) return [];
  const [start, end] = rangeOf(finding);
  const column = ({ line, column }: Position): number => columnOf(lineText(source, line), column);
  const place = [`file=${escapeProperty(source.label)}`, `line=${start.line + 1}`, `endLine=${end.line + 1}`];
  return start.line === end.line ? [...place, `col=${column(start)}`, `endColumn=${column(end)}`] : place;
}

function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** Control characters other than tab would move a terminal's cursor: each is shown as U+FFFD. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
