// What `tollgate run` shows: where it listens, the first key, and lines to paste.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Config } from "../config.ts";
import type { Catalogue } from "../llm/catalogue.ts";
import type { Wire } from "../types.ts";

/** What there is to show. */
export interface GreetingFacts {
  readonly url: string;
  readonly adminUrl: string;
  readonly adminKeyMade: string | null;
  /** The key made at this start; null when there were keys already. */
  readonly firstKey: string | null;
  readonly config: Config;
  readonly catalogue: Pick<Catalogue, "resolve" | "aliases" | "models">;
  readonly cwd: string;
}

/** The alias of the key that the first start makes. */
export const FIRST_KEY_ALIAS = "first-key";

/** The rule that the shipped rules deny gpt-4 with. */
const SHOWN_RULE = "deny model gpt-4 when price > 10";

/** Asked for in the lines to paste where it is served, by wire: small and cheap. */
const PREFERRED = [
  ["openai", "gpt-4o-mini"],
  ["anthropic", "claude-haiku-4-5"],
] as const;

/** The whole text, with a line break at its end. */
export function greeting(facts: GreetingFacts): string {
  const { url, adminUrl, adminKeyMade, firstKey, config, cwd } = facts;
  const lines = [
    `Tollgate listens on ${url}  (admin: ${adminUrl})`,
    `  config     ${config.file === null ? "none: the defaults (`tollgate config` shows them)" : relative(cwd, config.file)}`,
    `  providers  ${providerNames(config)}`,
    `  rules      ${relative(cwd, config.rules.directory) || "."}`,
    `  database   ${shownDatabase(config.database, cwd)}`,
    ...(adminKeyMade === null
      ? []
      : [`  admin key  ${adminKeyMade}  (for this run only; \`admin.key\` in tollgate.yaml sets a lasting one)`]),
    "",
    firstKey === null
      ? "Use a virtual key as $TOLLGATE_KEY below; make one with: npx tollgate keys create --alias NAME"
      : `Your first virtual key, shown this once:\n\n  ${firstKey}`,
    "",
    ...examples(facts),
  ];
  return `${lines.join("\n")}\n`;
}

function providerNames({ providers, file }: Config): string {
  const names = providers.map(({ name, baseUrl }) =>
    baseUrl === "demo:" ? `${name} (built in, asks no model)` : name,
  );
  const isDemoByDefault = file === null && providers.every(({ baseUrl }) => baseUrl === "demo:");
  const hint = isDemoByDefault ? "; for a real one start with OPENAI_API_KEY or ANTHROPIC_API_KEY set" : "";
  return `${names.join(", ")}${hint}`;
}

/** A file below the working directory by its relative path. */
function shownDatabase(database: string, cwd: string): string {
  const near = relative(cwd, database.replace(/^sqlite:/, ""));
  return near.startsWith("..") ? database : `sqlite:${near}`;
}

function examples({ url, catalogue, config, cwd, firstKey }: GreetingFacts): string[] {
  const key = firstKey ?? "$TOLLGATE_KEY";
  const served = servedModel(catalogue);
  if (served === null) return ["No model has a price yet, so none is served: see `models` in the README's config.", ""];
  const curl = served.wire === "openai" ? openaiCurl : anthropicCurl;
  const first = ["A request that is served:", "", curl(url, key, served.model), ""];
  const file = catalogue.resolve("gpt-4", "openai").length > 0 ? fileWithRule(config.rules.directory) : null;
  if (file === null) return first;
  const shown = relative(cwd, file);
  return [
    ...first,
    `A request that ${shown} denies (\`${SHOWN_RULE}\`):`,
    "",
    openaiCurl(url, key, "gpt-4"),
    "",
    ...(firstKey === null ? [] : editedRule(shown)),
    "Ctrl-C stops it. Keys, budgets, usage: npx tollgate --help",
    "",
  ];
}

/** An exception, and no other price: the shipped tests still hold, so that the newcomer's first `check` is clean. */
function editedRule(file: string): string[] {
  return [
    "Rules follow their files at once: after this edit, the request above is served.",
    "",
    `  sed -i.bak 's/^${SHOWN_RULE}$/& unless key ${FIRST_KEY_ALIAS}/' ${file}`,
    "",
  ];
}

/** A model that a plain key may ask for: it has a price. null where there is none. */
function servedModel(catalogue: GreetingFacts["catalogue"]): { wire: Wire; model: string } | null {
  for (const [wire, model] of PREFERRED) if (catalogue.resolve(model, wire).some(isPriced)) return { wire, model };
  for (const [alias, targets] of catalogue.aliases()) {
    const target = targets.find(isPriced);
    if (target !== undefined) return { wire: target.wire, model: alias };
  }
  const target = catalogue.models().find(isPriced);
  return target === undefined ? null : { wire: target.wire, model: target.upstreamModel };
}

const isPriced = ({ price }: { readonly price: object | null }): boolean => price !== null;

const openaiCurl = (url: string, key: string, model: string): string =>
  `  curl ${url}/v1/chat/completions -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" -d '${body(model)}'`;

const anthropicCurl = (url: string, key: string, model: string): string =>
  `  curl ${url}/v1/messages -H "x-api-key: ${key}" -H "anthropic-version: 2023-06-01" -H "Content-Type: application/json" -d '${body(model)}'`;

const body = (model: string): string =>
  JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }], max_tokens: 100 });

function fileWithRule(directory: string): string | null {
  if (!existsSync(directory)) return null;
  const names = readdirSync(directory).filter((name) => name.endsWith(".rules"));
  const name = names.find((each) => readFileSync(join(directory, each), "utf8").split("\n").includes(SHOWN_RULE));
  return name === undefined ? null : join(directory, name);
}
