// The parts of README.md that are made from the code, and how they are put into it.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/commands.ts";
import { greeting } from "../../src/cli/greeting.ts";
import { configReference } from "../../src/config/reference.ts";
import { loadConfig } from "../../src/config.ts";
import { ERRORS } from "../../src/errors.ts";
import { createCatalogue } from "../../src/llm/catalogue.ts";

export const ROOT = join(import.meta.dirname, "..", "..");
export const README_FILE = join(ROOT, "README.md");

/** Made as a whole, by `referencePage`. */
export const ERRORS_FILE = join(ROOT, "rules", "ERRORS.md");

/** The made parts by name. */
export async function madeParts(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["greeting", fenced("text", greetingText().trimEnd())],
    ["commands", await commandTable()],
    ["errors", errorTable()],
    ["config", configReference()],
    ["plugin", fenced("ts", readFileSync(join(ROOT, "test/support/plugins/forbidden-word.ts"), "utf8").trimEnd())],
  ]);
}

/**
 * The text with its made parts put in, each between `<!-- made: NAME -->` and `<!-- /made -->`.
 * @throws Error when a part has no place, or a place no part
 */
export function withParts(text: string, parts: ReadonlyMap<string, string>): string {
  const placed = new Set<string>();
  const whole = text.replace(/(<!-- made: (\w+) -->\n).*?(<!-- \/made -->)/gs, (_all, open, name, close) => {
    const part = parts.get(name);
    if (part === undefined) throw new Error(`nothing is made that is called ${name}`);
    placed.add(name);
    return `${open}\n${part}\n${close}`;
  });
  for (const name of parts.keys()) if (!placed.has(name)) throw new Error(`README.md has no place for ${name}`);
  return whole;
}

const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

async function commandTable(): Promise<string> {
  const commands = await Promise.all(COMMANDS.map(({ load }) => load()));
  const rows = commands.map(({ name, summary }) => `| \`tollgate ${name}\` | ${summary} |`);
  return ["| command | what it does |", "|---|---|", ...rows].join("\n");
}

function errorTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, summary }]) => `| \`${code}\` | ${status} | ${summary} |`);
  return ["| code | status | meaning |", "|---|---|---|", ...rows].join("\n");
}

/** What a first `npm start` shows, with the secrets left out. */
function greetingText(): string {
  const cwd = mkdtempSync(join(tmpdir(), "tollgate-greeting-"));
  try {
    cpSync(join(ROOT, "rules"), join(cwd, "rules"), { recursive: true });
    const config = loadConfig({ cwd, env: {} });
    return greeting({
      url: "http://127.0.0.1:4000",
      adminUrl: "http://127.0.0.1:4001",
      adminKeyMade: "adm-…",
      firstKey: "sk-…",
      config,
      catalogue: createCatalogue({ ...config, nowMs: Date.now() }),
      cwd,
    });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}
