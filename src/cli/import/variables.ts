// Secrets of a foreign config become variables: `os.environ/X` is `${X}`, a literal gets a variable of its own.
import { isMap } from "./section.ts";

/** A variable that the new config reads. */
export interface Variable {
  readonly name: string;
  /** What its value is for: `api_key of openai`. */
  readonly purpose: string;
  /** The old file holds the value itself; it has to be moved to the environment. */
  readonly isNew: boolean;
}

const REFERENCE = /^os\.environ\/([A-Za-z_][A-Za-z0-9_]*)$/;
/** What people write where a key is asked for and none is needed. */
const PLACEHOLDER = /^(?:none|null|empty|dummy|fake(?:[-_ ]?key)?|not[-_ ]?needed|anything|x+|-*)$/i;

/** Names variables, each value once. */
export class Variables {
  readonly #used: Set<string>;
  readonly #byValue = new Map<string, string>();
  readonly #all = new Map<string, Variable>();

  /** @param document whose own variables are not to be taken for other values */
  constructor(document: unknown) {
    this.#used = new Set(namesIn(document));
  }

  /** Keeps a name for a value that is in the environment already. */
  reserve(name: string): void {
    this.#used.add(name);
  }

  /** A secret as the new config writes it; null when it is a placeholder for none. */
  secret(value: string, wanted: string, purpose: string): { readonly text: string; readonly isNew: boolean } | null {
    const name = REFERENCE.exec(value.trim())?.[1];
    if (name !== undefined) return { text: this.read(name, purpose), isNew: false };
    if (PLACEHOLDER.test(value.trim())) return null;
    const known = this.#byValue.get(value);
    const own = known ?? this.#free(wanted);
    this.#byValue.set(value, own);
    this.#used.add(own);
    return { text: this.#reference({ name: own, purpose, isNew: true }), isNew: known === undefined };
  }

  /** A text that is no secret, as the new config writes it. */
  plain(value: string, purpose: string): string {
    const name = REFERENCE.exec(value.trim())?.[1];
    return name === undefined ? value.replaceAll("${", "$${") : this.read(name, purpose);
  }

  /** A variable that is set already. */
  read(name: string, purpose: string): string {
    return this.#reference({ name, purpose, isNew: false });
  }

  /** All that the new config reads, in order. */
  all(): readonly Variable[] {
    return [...this.#all.values()];
  }

  #reference(variable: Variable): string {
    if (!this.#all.has(variable.name)) this.#all.set(variable.name, variable);
    return `\${${variable.name}}`;
  }

  #free(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#used.has(name); count += 1) name = `${wanted}_${count}`;
    return name;
  }
}

/** The variables that a document names or sets. */
function namesIn(document: unknown): string[] {
  if (typeof document === "string") {
    const name = REFERENCE.exec(document.trim())?.[1];
    return name === undefined ? [] : [name];
  }
  if (Array.isArray(document)) return document.flatMap(namesIn);
  if (!isMap(document)) return [];
  const set = isMap(document.environment_variables) ? Object.keys(document.environment_variables) : [];
  return [...set, ...Object.values(document).flatMap(namesIn)];
}
