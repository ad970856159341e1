// What `tollgate run` shows: where it listens, the first key, and lines to paste.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Config } from "../config.ts";

/** What there is to show. */
export interface GreetingFacts {
  readonly url: string;
  readonly adminUrl: string;
  readonly adminKeyMade: string | null;
  /** The key made at this start; null when there were keys already. */
  readonly firstKey: string | null;
  readonly config: Config;
  readonly cwd: string;
}

/** The rule that the shipped rules deny gpt-4 with. */
const SHOWN_RULE = "deny model gpt-4 when price > 10";

/** The whole text, with a line break at its end. */
export function greeting({ url, adminUrl, adminKeyMade, firstKey, config, cwd }: GreetingFacts): string {
  const providers = config.providers.map(({ name, baseUrl }) => (baseUrl === "demo:" ? `${name} (built in)` : name));
  const lines = [
    `Tollgate listens on ${url}  (admin: ${adminUrl})`,
    `  providers  ${providers.join(", ")}${providers.length === 1 && config.providers[0]?.baseUrl === "demo:" ? ": set OPENAI_API_KEY or ANTHROPIC_API_KEY for a real one" : ""}`,
    `  rules      ${relative(cwd, config.rules.directory) || "."}`,
    `  database   ${config.database}`,
    ...(adminKeyMade === null
      ? []
      : [`  admin key  ${adminKeyMade}  (for this run; set TOLLGATE_ADMIN_KEY in the config for a lasting one)`]),
    "",
    firstKey === null
      ? "Use a virtual key as $TOLLGATE_KEY below; make one with: npx tollgate keys create --alias NAME"
      : `Your first virtual key, shown this once:\n\n  ${firstKey}`,
    "",
    ...examples(url, firstKey ?? "$TOLLGATE_KEY", config, cwd),
  ];
  return `${lines.join("\n")}\n`;
}

function examples(url: string, key: string, config: Config, cwd: string): string[] {
  const openai = config.providers.some(({ wires }) => wires.includes("openai"));
  if (!openai) return ["A request that is served:", "", anthropicCurl(url, key, "claude-haiku-4-5"), ""];
  const file = fileWithRule(config.rules.directory);
  const served = ["A request that is served:", "", openaiCurl(url, key, "gpt-4o-mini"), ""];
  if (file === null) return served;
  const shown = relative(cwd, file);
  return [
    ...served,
    `A request that ${shown} denies (\`${SHOWN_RULE}\`):`,
    "",
    openaiCurl(url, key, "gpt-4"),
    "",
    "Rules follow their files at once: after this edit, the request above is served.",
    "",
    `  sed -i.bak 's/${SHOWN_RULE}/deny model gpt-4 when price > 100/' ${shown}`,
    "",
  ];
}

const openaiCurl = (url: string, key: string, model: string): string =>
  `  curl ${url}/v1/chat/completions -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" -d '{"model":"${model}","messages":[{"role":"user","content":"Hello"}],"max_tokens":100}'`;

const anthropicCurl = (url: string, key: string, model: string): string =>
  `  curl ${url}/v1/messages -H "x-api-key: ${key}" -H "anthropic-version: 2023-06-01" -H "Content-Type: application/json" -d '{"model":"${model}","messages":[{"role":"user","content":"Hello"}],"max_tokens":100}'`;

function fileWithRule(directory: string): string | null {
  if (!existsSync(directory)) return null;
  const names = readdirSync(directory).filter((name) => name.endsWith(".rules"));
  const name = names.find((each) => readFileSync(join(directory, each), "utf8").split("\n").includes(SHOWN_RULE));
  return name === undefined ? null : join(directory, name);
}
