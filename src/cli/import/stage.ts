// The result of an import, loaded as the gateway would load it before anything is written.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../config.ts";
import { createCatalogue } from "../../llm/catalogue.ts";
import { build, snapshotOf } from "../../rules/build.ts";
import { StatementCache } from "../../rules/parse.ts";
import { renderText } from "../../rules/render.ts";
import type { Imported } from "./litellm.ts";

/** Fits as a key and as an address. */
const ANY_VALUE = "https://placeholder.invalid";

/**
 * Loads config, models and rules in a folder of its own.
 * @throws Error what is wrong with them: the import's fault, or a value in the old config that no check here foresaw
 */
export function proveLoads({ config, rules, variables }: Imported, nowMs: number): void {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-import-"));
  try {
    writeFileSync(join(folder, "tollgate.yaml"), config ?? "");
    mkdirSync(join(folder, "rules"));
    const env = Object.fromEntries(variables.map(({ name }) => [name, ANY_VALUE]));
    const loaded = loadConfig({ cwd: folder, env });
    const catalogue = createCatalogue({ ...loaded, nowMs });
    const source = { name: "rules/litellm.rules", label: "rules/litellm.rules", text: rules };
    const { set, diagnostics } = build(snapshotOf([source]), catalogue, new StatementCache(), nowMs);
    if (set === null) throw new Error(renderText(diagnostics));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
