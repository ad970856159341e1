// `tollgate config`: shows the effective config, or checks the file, or prints its schema.
import { Document, isScalar } from "yaml";
import type { Config } from "../config/model.ts";
import { configJsonSchema } from "../config/reference.ts";
import { shownConfig } from "../config/show.ts";
import { loadConfig } from "../config.ts";
import type { Command, Io } from "./command.ts";
import { parseOptions, usage } from "./options.ts";

const HELP = `
Shows the config that is in force: the file, the defaults and the environment taken together. Secrets are masked.

Usage:
  tollgate config [--json]        as YAML, or as JSON
  tollgate config --check         say only whether the file is good, its plugins' config too (exit code 0 or 78)
  tollgate config --schema        the file's JSON Schema, for editors

Options:
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Examples:
  tollgate config --check --config /etc/tollgate/tollgate.yaml
  tollgate config --schema > tollgate.schema.json
`;

export const config: Command = {
  name: "config",
  summary: "show or check the config",
  help: HELP.trimStart(),
  run,
};

async function run(argv: readonly string[], io: Io): Promise<number> {
  const options = { check: { type: "boolean" }, schema: { type: "boolean" } } as const;
  const { values } = parseOptions(argv, { command: "config", options });
  if (values.check && values.schema) throw usage("config", "--check and --schema exclude each other");
  if (values.schema) return print(io, json(configJsonSchema()));
  const loaded = loadConfig({ path: values.config, cwd: io.cwd, env: io.env });
  if (values.check) {
    const { checkParts } = await import("../gateway.ts");
    await checkParts(loaded);
    return reportGood(loaded, values.json === true, io);
  }
  return print(
    io,
    values.json ? json({ file: loaded.file, rules_from: loaded.rules.origin, ...shownConfig(loaded) }) : yaml(loaded),
  );
}

function reportGood({ file }: Config, asJson: boolean, io: Io): number {
  if (asJson) return print(io, json({ ok: true, file }));
  io.stderr.write(file === null ? "no config file: the defaults are in force\n" : `${file} is good\n`);
  return 0;
}

function yaml(loaded: Config): string {
  const document = new Document(shownConfig(loaded));
  document.commentBefore = loaded.file === null ? " no config file: defaults" : ` ${loaded.file}`;
  const rules = document.getIn(["rules", "directory"], true);
  if (isScalar(rules)) rules.comment = ` from: ${loaded.rules.origin}`;
  return document.toString({ lineWidth: 0 });
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function print(io: Io, text: string): number {
  io.stdout.write(text);
  return 0;
}
