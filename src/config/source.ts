// One config file's text: parsed YAML, its values with references replaced, and where each of them stands.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
} from "yaml";
import { interpolate, type Surroundings } from "./interpolate.ts";

/** Offsets in the source's text; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One thing that is wrong, and where. */
export interface Problem {
  /** null: it is about the whole file. */
  readonly span: Span | null;
  /** Lower case, no full stop, the user's text in backticks. */
  readonly message: string;
  readonly help: string | null;
}

/** How often anchors may be expanded, all together. */
const ALIASES_MAX = 100;

/** A config file. Parsing never throws: what is wrong is in `problems`. */
export class ConfigSource {
  /** As people know the file: relative to the working directory where that is shorter. */
  readonly name: string;
  readonly text: string;
  /** YAML errors and references that could not be replaced (with these, `value` has empty texts in their places). */
  readonly problems: readonly Problem[];
  /** The document as plain data: `{}` when it is empty, null when it is not YAML. */
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines = new LineCounter();
  readonly #interpolated = new WeakSet<object>();

  /** @param around null: the file is another program's, in which `${` is plain text and `<<` merges maps */
  constructor(name: string, text: string, around: Surroundings | null) {
    this.name = name;
    this.text = text;
    const options = { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true, merge: around === null };
    this.#document = parseDocument(text, options);
    const syntax = this.#syntaxProblems();
    const references = syntax.length > 0 || around === null ? [] : this.#interpolateAll(around);
    const data = syntax.length > 0 ? null : this.#toData();
    this.problems = data instanceof Error ? [aliasProblem(data)] : [...syntax, ...references];
    this.value = data instanceof Error ? null : data;
  }

  /** The key (or list item) at the path, or the nearest thing above it that exists. */
  keySpan(path: readonly PropertyKey[]): Span | null {
    const last = path.at(-1);
    const parent = this.#nodeAt(path.slice(0, -1));
    if (isMap(parent)) {
      const pair = parent.items.find((item) => keyText(item) === String(last));
      if (pair !== undefined) return spanOf(pair.key as Node);
    }
    return this.valueSpan(path);
  }

  /** The value at the path, or the nearest thing above it that exists; null for the whole file. */
  valueSpan(path: readonly PropertyKey[]): Span | null {
    for (let length = path.length; length > 0; length -= 1) {
      const node = this.#nodeAt(path.slice(0, length));
      if (node?.range) return isScalar(node) ? spanOf(node) : this.#headSpan(path.slice(0, length));
    }
    return null;
  }

  /** True when the value at the path came out of a `${…}`. */
  isInterpolated(path: readonly PropertyKey[]): boolean {
    const node = this.#nodeAt(path);
    return node !== null && this.#interpolated.has(node);
  }

  /** One-based line and column of an offset, in UTF-16 units. */
  position(offset: number): { readonly line: number; readonly column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col };
  }

  /** A map or list as its key, so that a caret never underlines half the file. */
  #headSpan(path: readonly PropertyKey[]): Span | null {
    const parent = this.#nodeAt(path.slice(0, -1));
    const pair = isMap(parent) ? parent.items.find((item) => keyText(item) === String(path.at(-1))) : undefined;
    if (pair !== undefined) return spanOf(pair.key as Node);
    const span = spanOf(this.#nodeAt(path));
    if (span === null) return null;
    const lineEnd = this.text.indexOf("\n", span.start);
    return { start: span.start, end: lineEnd < 0 ? span.end : Math.min(span.end, lineEnd) };
  }

  #nodeAt(path: readonly PropertyKey[]): Node | null {
    let node: unknown = this.#document.contents;
    for (const step of path) {
      node = this.#resolve(node);
      if (isMap(node)) node = node.items.find((item) => keyText(item) === String(step))?.value;
      else if (isSeq(node)) node = node.items[Number(step)];
      else return null;
    }
    return (this.#resolve(node) as Node | undefined) ?? null;
  }

  #resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  /** One a line: what follows on the same line is mostly a consequence. */
  #syntaxProblems(): Problem[] {
    const lines = new Set<number>();
    return [...this.#document.errors, ...this.#document.warnings].flatMap((error) => {
      const [start] = error.pos;
      const { line } = this.position(start);
      if (lines.has(line)) return [];
      lines.add(line);
      const word = /^[\w-]+/.exec(this.text.slice(start, start + 100))?.[0].length ?? 1;
      return [{ span: { start, end: start + word }, message: yamlMessage(error.message), help: this.#hint(start) }];
    });
  }

  #hint(offset: number): string | null {
    const line = this.text.slice(this.text.lastIndexOf("\n", offset - 1) + 1).split("\n", 1)[0] ?? "";
    if (/[{[,].*\$\{/.test(line)) return `inside { } and [ ] a reference needs quotes: "\${VAR}"`;
    return line.includes("\t") ? "YAML is indented with spaces, not tabs" : null;
  }

  #interpolateAll(around: Surroundings): Problem[] {
    const problems: Problem[] = [];
    visit(this.#document, {
      Scalar: (where, node) => {
        if (where === "key" || typeof node.value !== "string" || !node.value.includes("${")) return;
        const done = interpolate(node.value, around);
        for (const { start, end, message, help } of done.bad) {
          problems.push({ span: this.#referenceSpan(node, start, end), message, help });
        }
        if (done.replaced) this.#interpolated.add(node);
        node.value = node.type === "PLAIN" && done.replaced ? typed(done.text) : done.text;
      },
    });
    return problems;
  }

  /** Offsets within a text as offsets within the file; the text's first reference where escapes make them differ. */
  #referenceSpan(node: Scalar, start: number, end: number): Span {
    const from = (node.range?.[0] ?? 0) + (node.type === "PLAIN" ? 0 : 1);
    if (this.text.startsWith("${", from + start)) return { start: from + start, end: from + end };
    const first = this.text.indexOf("${", from);
    return { start: first, end: first + 2 };
  }

  /** Aliases are expanded, to a bound: a file cannot grow without end. */
  #toData(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {};
    } catch (error) {
      if (error instanceof ReferenceError) return error;
      throw error;
    }
  }
}

function aliasProblem(error: Error): Problem {
  return { span: null, message: `YAML: aliases: ${error.message}`, help: null };
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? String((pair.key as Scalar).value) : "";
}

function spanOf(node: Node | null): Span | null {
  if (!node?.range) return null;
  const [start, end] = node.range;
  return { start, end: Math.max(end, start + 1) };
}

/** An unquoted reference is read as YAML reads what it stands for: whole numbers and booleans are such. */
function typed(text: string): string | number | boolean {
  if (/^(?:0|-?[1-9]\d{0,14})$/.test(text)) return Number(text);
  return text === "true" ? true : text === "false" ? false : text;
}

/** The YAML library's message in this house's grammar: its first sentence, lower case, no full stop. */
function yamlMessage(message: string): string {
  const unclosed = /must be sufficiently indented and end with a (\S)/.exec(message)?.[1];
  if (unclosed !== undefined) return `YAML: a \`${unclosed}\` is missing, or a line before it is not indented`;
  const first = message.split("\n", 1)[0] ?? message;
  return `YAML: ${first.charAt(0).toLowerCase()}${first.slice(1).replace(/\.$/, "")}`;
}
