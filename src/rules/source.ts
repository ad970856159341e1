// A rule file's text and the way from offsets to lines and columns.
import type { InlineRules } from "../types.ts";

/** One rule file. */
export interface Source {
  /** Path relative to the rules directory's parent, with `/`: `rules/models.rules`. Rule ids are made of it. */
  readonly name: string;
  /** How reports call the file; often the same as `name`. */
  readonly label: string;
  readonly text: string;
  /** What the text is kept on; left out for a file. */
  readonly keptOn?: InlineRules["scope"];
}

/** A place in a text; both counted from 0, columns in UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Files that hold tests alone end so. */
const TEST_FILE = ".test.rules";

/** Whether a file is for tests alone: one that fails there is a warning, and keeps no rule from coming into force. */
export function isTestFile({ name, keptOn }: Source): boolean {
  return keptOn === undefined && name.endsWith(TEST_FILE);
}

const lineStarts = new WeakMap<Source, readonly number[]>();

/** Offset → line and column. Offsets past the end are taken as the end. */
export function positionAt(source: Source, offset: number): Position {
  const starts = startsOf(source);
  const wanted = Math.min(offset, source.text.length);
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= wanted) low = middle;
    else high = middle - 1;
  }
  return { line: low, column: wanted - (starts[low] ?? 0) };
}

/** The text of a line, counted from 0, without its line break. */
export function lineText(source: Source, line: number): string {
  const starts = startsOf(source);
  const start = starts[line] ?? source.text.length;
  const end = starts[line + 1] ?? source.text.length;
  return source.text.slice(start, end).replace(/\r?\n$/, "");
}

/** `rules/models.rules:7`, as reports call a place. */
export function whereOf({ source, start }: { readonly source: Source; readonly start: number }): string {
  return `${source.label}:${positionAt(source, start).line + 1}`;
}

/** Rules that are kept on a subject come after those in files, the widest subject first. */
const KEPT_ON = ["org", "team", "key"];

/** The order of (file, place): what `sort` takes. */
export function byPlace(
  a: { readonly source: Source; readonly start: number },
  b: { readonly source: Source; readonly start: number },
): number {
  if (a.source.name === b.source.name) return a.start - b.start;
  return rankOf(a.source) - rankOf(b.source) || (a.source.name < b.source.name ? -1 : 1);
}

function rankOf({ keptOn }: Source): number {
  return keptOn === undefined ? -1 : KEPT_ON.indexOf(keptOn);
}

function startsOf(source: Source): readonly number[] {
  const known = lineStarts.get(source);
  if (known !== undefined) return known;
  const starts = [0];
  for (let at = source.text.indexOf("\n"); at !== -1; at = source.text.indexOf("\n", at + 1)) starts.push(at + 1);
  lineStarts.set(source, starts);
  return starts;
}
