// `${VAR}`, `${VAR:-default}`, `${file:/path}` and `$${` in the config's texts.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { suggest } from "../suggest.ts";

/** Where references are looked up. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What a relative `${file:…}` is relative to. */
  readonly directory: string;
}

/** A reference that cannot be replaced; offsets are within the text that was given. */
export interface BadReference {
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly help: string;
}

/** The text with its references replaced, and those that could not be. */
export interface Interpolated {
  readonly text: string;
  /** True when at least one reference was replaced: the text may be a secret. */
  readonly replaced: boolean;
  readonly bad: readonly BadReference[];
}

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;
const FORMS = `write \${VAR}, \${VAR:-default} or \${file:/path}; $\${ stands for a literal \${`;

/** Replaces every reference once: what is put in is not looked at again. An empty variable counts as unset where there is a default. */
export function interpolate(text: string, around: Surroundings): Interpolated {
  const bad: BadReference[] = [];
  let replaced = false;
  const result = text.replace(REFERENCE, (whole: string, inner: string | undefined, close: string, start: number) => {
    if (inner === undefined) return "${";
    const found = close === "" ? problem("a reference that is not closed", FORMS) : lookUp(inner, around);
    replaced = true;
    if (typeof found === "string") return found;
    bad.push({ start, end: start + whole.length, ...found });
    return "";
  });
  return { text: result, replaced, bad };
}

type Problem = Pick<BadReference, "message" | "help">;

const problem = (message: string, help: string): Problem => ({ message, help });

function lookUp(inner: string, around: Surroundings): string | Problem {
  if (inner.startsWith("file:")) return readSecret(inner.slice(5), around.directory);
  const [, name, fallback] = VARIABLE.exec(inner) ?? [];
  if (name === undefined) return problem(`\`${inner}\` names no variable and no file`, FORMS);
  const value = around.env[name];
  if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
  return value ?? problem(`the environment variable \`${name}\` is not set`, unsetHelp(name, around.env));
}

function unsetHelp(name: string, env: Surroundings["env"]): string {
  const near = suggest(name, Object.keys(env));
  return near === null ? `set it, or give a default: \${${name}:-…}` : `did you mean \`${near}\`?`;
}

/** The file's text without the line end that editors add. */
function readSecret(path: string, directory: string): string | Problem {
  if (path === "") return problem("`file:` without a path", FORMS);
  try {
    return readFileSync(resolve(directory, path), "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read (${code ?? "unknown error"})`;
    return problem(`the file \`${path}\` ${why}`, "create it, or make it readable for the user that runs tollgate");
  }
}
