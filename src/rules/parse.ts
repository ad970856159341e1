// A file's text → the trees of its statements, or what is wrong with each. Statements are cached by their text.
import type { Span, Statement } from "./ast.ts";
import { type Diagnostic, diagnostic } from "./diagnostics.ts";
import { RuleGrammar } from "./grammar.ts";
import { lex } from "./lexer.ts";
import { explain } from "./mistakes.ts";
import type { Source } from "./source.ts";
import { splitStatements } from "./split.ts";
import { finish, type Steps } from "./steps.ts";
import { RuleSyntaxError } from "./syntax-error.ts";

/** A statement in its place. */
export interface PlacedStatement {
  readonly source: Source;
  /** Offset of the statement in the source; spans in `tree` count from it. */
  readonly offset: number;
  readonly tree: Statement;
}

/** What a file holds; `statements` lacks those that `errors` are about. */
export interface ParsedFile {
  readonly source: Source;
  readonly statements: readonly PlacedStatement[];
  readonly errors: readonly Diagnostic[];
}

type Parsed = { readonly tree: Statement } | { readonly error: RuleSyntaxError };

/** Statements by text: those of the last set of files, so that an edit parses only what it changed. */
export class StatementCache {
  private last: Map<string, Parsed> = new Map();
  private next: Map<string, Parsed> = new Map();

  /** Parses one statement, or gives what it came to before. */
  parse(text: string): Parsed {
    const known = this.next.get(text) ?? this.last.get(text);
    const parsed = known ?? parseStatement(text);
    this.next.set(text, parsed);
    return parsed;
  }

  /** Forgets what was not asked for since the last turn. */
  turn(): void {
    this.last = this.next;
    this.next = new Map();
  }
}

/** Parses a file; every broken statement gives one error, the others their trees. */
export function parseFile(source: Source, cache: StatementCache): ParsedFile {
  return finish(parseSteps(source, cache));
}

/** The same in steps. */
export function* parseSteps(source: Source, cache: StatementCache): Steps<ParsedFile> {
  const statements: PlacedStatement[] = [];
  const errors: Diagnostic[] = [];
  for (const { text, offset } of splitStatements(source.text)) {
    yield;
    const parsed = cache.parse(text);
    if ("tree" in parsed) statements.push({ source, offset, tree: parsed.tree });
    else {
      const { code, span, message, help } = parsed.error;
      errors.push(diagnostic(code, source, shift(span, offset), message, help));
    }
  }
  return { source, statements, errors };
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
