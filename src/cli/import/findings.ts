// What an import has to tell beside its result, each with its place in the file that was read.
import { pathText } from "../../config/problems.ts";
import type { ConfigSource } from "../../config/source.ts";

/**
 * `unmapped`: something that the new config does not do. `set`: a variable to set before the start. `note`: it is
 * carried over, or not needed, with a difference to know.
 */
export type FindingKind = "unmapped" | "set" | "note";

/** One thing to know. No message holds a value that may be a secret. */
export interface Finding {
  readonly kind: FindingKind;
  /** One-based. */
  readonly line: number;
  readonly column: number;
  /** `model_list[2].litellm_params.rpm`. */
  readonly path: string;
  readonly message: string;
  /** What to do instead. */
  readonly help: string | null;
}

/** Collects them. */
export class Findings {
  readonly #source: ConfigSource;
  readonly #all: Finding[] = [];

  constructor(source: ConfigSource) {
    this.#source = source;
  }

  /** Adds one about a key of the file; what is told already, of a map that several entries share, is not told again. */
  add(kind: FindingKind, path: readonly PropertyKey[], message: string, help: string | null = null): void {
    const where = pathText(path);
    if (this.#all.some((known) => known.path === where && known.message === message)) return;
    this.#all.push({ kind, ...this.place(path), path: where, message, help });
  }

  /** Where a key stands, or the nearest thing above it. */
  place(path: readonly PropertyKey[]): { readonly line: number; readonly column: number } {
    return this.#source.position(this.#source.keySpan(path)?.start ?? 0);
  }

  /** In the file's order. */
  all(): readonly Finding[] {
    return [...this.#all].sort((a, b) => a.line - b.line || a.column - b.column);
  }
}

const HEADINGS: readonly (readonly [FindingKind, string])[] = [
  ["unmapped", "Not carried over"],
  ["set", "To set before the start"],
  ["note", "To know"],
];

/** All findings as people read them, by kind. */
export function renderFindings(file: string, findings: readonly Finding[]): string {
  const parts = HEADINGS.flatMap(([kind, heading]) => {
    const some = findings.filter((finding) => finding.kind === kind);
    return some.length === 0 ? [] : [`${heading}:\n${some.map((finding) => render(file, finding)).join("")}`];
  });
  return parts.join("\n");
}

function render(file: string, { line, path, message, help }: Finding): string {
  return `  ${file}:${line}: ${path}: ${message}\n${help === null ? "" : `      = ${help}\n`}`;
}
