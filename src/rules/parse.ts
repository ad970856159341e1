// A file's text → the trees of its statements, or what is wrong with each. What an edit left alone is kept.
import type { Span, Statement } from "./ast.ts";
import type { Place } from "./check-context.ts";
import { CheckMemory, type StatementMemo } from "./check-memory.ts";
import { type Diagnostic, diagnostic } from "./diagnostics.ts";
import { RuleGrammar } from "./grammar.ts";
import { lex } from "./lexer.ts";
import { explain } from "./mistakes.ts";
import { matchInOrder } from "./slots.ts";
import type { Source } from "./source.ts";
import { type Piece, type Resplit, type Split, splitAgain, splitText } from "./split.ts";
import { finish, type Steps } from "./steps.ts";
import { RuleSyntaxError } from "./syntax-error.ts";

/** A statement of a file: the same object from load to load while its text and its place among the others stay. */
export interface Slot {
  readonly text: string;
  readonly parsed: Parsed;
  /** Where it stood when it was last checked. */
  place: Place | null;
  /** What checking it came to, where that is worth keeping. */
  memo: StatementMemo | null;
}

/** A statement in its place. */
export interface PlacedStatement {
  readonly source: Source;
  /** Offset of the statement in the source; spans in `tree` count from it. */
  readonly offset: number;
  readonly tree: Statement;
  readonly slot: Slot;
}

/** What a file holds; `statements` lacks those that `errors` are about. */
export interface ParsedFile {
  readonly source: Source;
  readonly statements: readonly PlacedStatement[];
  readonly errors: readonly Diagnostic[];
}

type Parsed = { readonly tree: Statement } | { readonly error: RuleSyntaxError };

/** A file as it was parsed. */
interface Known {
  readonly file: ParsedFile;
  /** Its pieces' texts are those of the slots, which do not keep the file's whole text alive. */
  readonly split: Split;
  readonly slots: readonly Slot[];
}

/** Texts that are remembered beyond twice as many as there are statements. */
const SPARE = 1_000;

/** The files of the last load, so that an edit parses and checks only what it changed. */
export class StatementCache {
  /** What checking left for the next load. */
  readonly memory: CheckMemory = new CheckMemory();
  private last: Map<string, Known> = new Map();
  private next: Map<string, Known> = new Map();
  private byText: Map<string, Pick<Slot, "text" | "parsed">> = new Map();

  /** A slot for a statement, parsed unless the same text was before. */
  slotFor(text: string): Slot {
    const known = this.byText.get(text);
    if (known !== undefined) return { ...known, place: null, memo: null };
    // A part of a text keeps the whole of it in memory, and this one may live longer than its file.
    const own = ` ${text}`.slice(1);
    const parsed = parseStatement(own);
    this.byText.set(own, { text: own, parsed });
    return { text: own, parsed, place: null, memo: null };
  }

  /** The file of that name as it was at the last turn. It is given once: no slot is in two places. */
  take(name: string): Known | undefined {
    const known = this.last.get(name);
    this.last.delete(name);
    return known;
  }

  keep(known: Known): void {
    this.next.set(known.file.source.name, known);
  }

  /** Forgets what was not asked for since the last turn. */
  turn(): void {
    this.last = this.next;
    this.next = new Map();
    const slots = [...this.last.values()].flatMap((known) => known.slots);
    if (this.byText.size <= 2 * slots.length + SPARE) return;
    this.byText = new Map(slots.map(({ text, parsed }) => [text, { text, parsed }]));
  }
}

/** Parses a file; every broken statement gives one error, the others their trees. */
export function parseFile(source: Source, cache: StatementCache): ParsedFile {
  return finish(parseSteps(source, cache));
}

/** The same in steps. A file that did not change is what it was, its source too. */
export function* parseSteps(source: Source, cache: StatementCache): Steps<ParsedFile> {
  const before = cache.take(source.name);
  const isSame = before?.split.text === source.text && before.file.source.label === source.label;
  const known = before !== undefined && isSame ? before : yield* parseAgain(source, before, cache);
  cache.keep(known);
  return known.file;
}

function* parseAgain(source: Source, before: Known | undefined, cache: StatementCache): Steps<Known> {
  const split =
    before === undefined ? { ...splitText(source.text), head: 0, tail: 0 } : splitAgain(before.split, source.text);
  const slots = yield* slotsOf(split, before?.slots ?? [], cache);
  const statements: PlacedStatement[] = [];
  const errors: Diagnostic[] = [];
  const pieces: Piece[] = [];
  for (const [i, slot] of slots.entries()) {
    const offset = split.pieces[i]?.offset ?? 0;
    pieces.push({ text: slot.text, offset });
    if ("tree" in slot.parsed) statements.push({ source, offset, tree: slot.parsed.tree, slot });
    else {
      const { code, span, message, help } = slot.parsed.error;
      errors.push(diagnostic(code, source, shift(span, offset), message, help));
    }
  }
  return { file: { source, statements, errors }, split: { ...split, pieces }, slots };
}

/** A slot for each piece: those before where they are still there, in their order. */
function* slotsOf({ pieces, head, tail }: Resplit, before: readonly Slot[], cache: StatementCache): Steps<Slot[]> {
  const slots = before.slice(0, head);
  const changed = before.slice(head, before.length - tail);
  const between = pieces.slice(head, pieces.length - tail);
  const found = matchInOrder(
    changed.map(({ text }) => text),
    between.map(({ text }) => text),
  );
  for (const [i, { text }] of between.entries()) {
    yield;
    slots.push(changed[found[i] ?? -1] ?? cache.slotFor(text));
  }
  for (let i = before.length - tail; i < before.length; i += 1) slots.push(before[i] as Slot);
  return slots;
}

/** A span of a statement as a span of its file. */
export function shift(span: Span, offset: number): Span {
  return { start: span.start + offset, end: span.end + offset };
}

let grammar: RuleGrammar | null = null;

function parseStatement(text: string): Parsed {
  grammar ??= new RuleGrammar();
  try {
    const tokens = lex(text);
    const tree = grammar.read(tokens);
    const failure = grammar.errors[0];
    if (failure !== undefined) return { error: explain(failure, tokens) };
    if (tree === undefined) throw new Error("the parser gave neither a tree nor an error");
    return { tree };
  } catch (error) {
    if (error instanceof RuleSyntaxError) return { error };
    throw error;
  }
}
