// What the checker carries along: the set's names and findings, and the statement that is being checked.
import type { LetNode, Span } from "./ast.ts";
import type { Vocabulary } from "./catalogue.ts";
import type { Cond } from "./checked.ts";
import { type Code, type Diagnostic, diagnostic } from "./diagnostics.ts";
import type { Zone } from "./local-time.ts";
import { near } from "./mistakes.ts";
import { shift } from "./parse.ts";
import { positionAt, type Source } from "./source.ts";

/** A did-you-mean looks at every known name: no more than so many are worked out for one set. */
const SUGGESTIONS_MAX = 100;

/** A `let`, with its own place; `cond` is filled in when it is first used. */
export interface LetEntry {
  readonly node: LetNode;
  readonly place: Place;
  state: "new" | "open" | "done";
  cond: Cond | null;
  used: boolean;
}

/** Where a statement stands. */
export interface Place {
  readonly source: Source;
  readonly offset: number;
  readonly zone: Zone;
}

/** The rule set under check. */
export class CheckSet {
  readonly vocabulary: Vocabulary;
  readonly nowMs: number;
  readonly lets: Map<string, LetEntry> = new Map();
  private suggestionsLeft = SUGGESTIONS_MAX;
  private readonly found: Map<Source | null, Map<string, Diagnostic>> = new Map();

  constructor(vocabulary: Vocabulary, nowMs: number) {
    this.vocabulary = vocabulary;
    this.nowMs = nowMs;
  }

  /** Findings so far, one for each code and place. */
  get findings(): Diagnostic[] {
    return [...this.found.values()].flatMap((ofSource) => [...ofSource.values()]);
  }

  get hasErrors(): boolean {
    return this.findings.some((finding) => finding.severity === "error");
  }

  /** `did you mean …?`, or null when nothing is near or enough has been suggested. */
  near(word: string, known: Iterable<string>): string | null {
    this.suggestionsLeft -= 1;
    return this.suggestionsLeft < 0 ? null : near(word, known);
  }

  /** Adds a finding; a `let` that is used twice gives it once. */
  add(finding: Diagnostic): void {
    const ofSource = this.found.get(finding.source) ?? new Map<string, Diagnostic>();
    this.found.set(finding.source, ofSource);
    const key = `${finding.code}:${finding.span.start}`;
    if (!ofSource.has(key)) ofSource.set(key, finding);
  }

  /** Adds a finding about a part of a statement. */
  report(place: Place, span: Span, code: Code, message: string, help: string | null = null): void {
    this.add(diagnostic(code, place.source, shift(span, place.offset), message, help));
  }
}

/** The id of what has no `as`: `rules/models.rules:7`, in characters that an HTTP header may hold. */
export function idOf({ source, offset }: Place, { start }: Span): string {
  return `${headerText(source.name)}:${positionAt(source, start + offset).line + 1}`;
}

/** A name in characters that an HTTP header may hold. */
export function headerText(name: string): string {
  return name.replace(/[^\x20-\x7e]/gu, encodeURIComponent);
}
