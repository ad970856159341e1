// What the checker carries along: the set's names and findings, and the statement that is being checked.
import type { LetNode, Span } from "./ast.ts";
import type { Attribute } from "./attributes.ts";
import type { Names, Vocabulary } from "./catalogue.ts";
import { CheckLog } from "./check-log.ts";
import type { CheckMemory, StatementMemo } from "./check-memory.ts";
import type { Cond } from "./checked.ts";
import { type Code, type Diagnostic, diagnostic } from "./diagnostics.ts";
import type { Zone } from "./local-time.ts";
import { type Slot, shift } from "./parse.ts";
import { positionAt, type Source } from "./source.ts";

/** A did-you-mean looks at every known name: no more than so many are worked out for one set. */
const SUGGESTIONS_MAX = 100;

/** A `let`, with its own place. */
export interface LetEntry {
  readonly node: LetNode;
  readonly place: Place;
  readonly slot: Slot;
  /** Types its condition. */
  readonly check: () => Cond | null;
  state: "new" | "open" | "done";
  /** What its condition came to, from its first use on. */
  checked: StatementMemo | null;
  used: boolean;
  /** What was found about its condition has been told. */
  told: boolean;
}

/** Where a statement stands: one object for each, moved along from load to load. */
export interface Place {
  source: Source;
  offset: number;
  zone: Zone;
}

/** The rule set under check. */
export class CheckSet {
  readonly vocabulary: Vocabulary;
  readonly nowMs: number;
  readonly lets: Map<string, LetEntry> = new Map();
  hasErrors = false;
  private readonly memory: CheckMemory;
  private suggestionsLeft = SUGGESTIONS_MAX;
  private readonly found: Map<Source | null, Map<string, Diagnostic>> = new Map();
  /** Where findings go instead of being told. */
  private log: CheckLog | null = null;

  constructor(vocabulary: Vocabulary, nowMs: number, memory: CheckMemory) {
    this.vocabulary = vocabulary;
    this.nowMs = nowMs;
    this.memory = memory;
  }

  /** Findings so far, one for each code and place. */
  get findings(): Diagnostic[] {
    return [...this.found.values()].flatMap((ofSource) => [...ofSource.values()]);
  }

  /** `did you mean …?`, or null when nothing is near or enough has been suggested. */
  near(word: string, known: Iterable<string> | Names): string | null {
    this.vary();
    this.suggestionsLeft -= 1;
    return this.suggestionsLeft < 0 ? null : this.memory.near(word, known);
  }

  /** The values that are known of an attribute; null where any may be. */
  valuesOf(attribute: Attribute): Names | null {
    const values = attribute.known?.values(this.vocabulary) ?? null;
    if (values !== null) this.log?.values.push([attribute, values]);
    return values;
  }

  /** Says that what is being checked may be found otherwise next time, though nothing that it names changes. */
  vary(): void {
    if (this.log !== null) this.log.isKept = false;
  }

  /** Adds a finding; a `let` that is used twice gives it once. */
  add(finding: Diagnostic): void {
    const ofSource = this.found.get(finding.source) ?? new Map<string, Diagnostic>();
    this.found.set(finding.source, ofSource);
    const key = `${finding.code}:${finding.span.start}`;
    if (ofSource.has(key)) return;
    ofSource.set(key, finding);
    if (finding.severity === "error") this.hasErrors = true;
  }

  /** Adds a finding about a part of a statement. */
  report(place: Place, span: Span, code: Code, message: string, help: string | null = null): void {
    if (this.log !== null) this.log.remarks.push({ place, span, code, message, help });
    else this.add(diagnostic(code, place.source, shift(span, place.offset), message, help));
  }

  /** Notes that a name is used. @param meaning what it stands for, null where it does not fit */
  use({ node }: LetEntry, meaning: object | null): void {
    const { name } = node.name;
    if (this.log === null) this.told(name, meaning !== null);
    else {
      this.log.remarks.push({ use: name, tells: meaning !== null });
      if (meaning !== null) this.log.lets.push([name, meaning]);
    }
  }

  /** Does the work with its findings in a log of their own. */
  record<Result>(work: () => Result): { result: Result; log: CheckLog } {
    const outer = this.log;
    const log = new CheckLog();
    this.log = log;
    try {
      return { result: work(), log };
    } finally {
      this.log = outer;
    }
  }

  /** Tells what a log holds, where the statements stand now. */
  tell({ remarks }: CheckLog): void {
    for (const remark of remarks) {
      if ("use" in remark) this.told(remark.use, remark.tells);
      else this.report(remark.place, remark.span, remark.code, remark.message, remark.help);
    }
  }

  private told(name: string, tells: boolean): void {
    const entry = this.lets.get(name);
    if (entry === undefined) throw new Error(`@${name} was used and is not there`);
    entry.used = true;
    if (!tells || entry.told || entry.checked === null) return;
    entry.told = true;
    this.tell(entry.checked.log);
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
