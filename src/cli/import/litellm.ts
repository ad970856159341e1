// A LiteLLM proxy config → the texts of a config and a rule file that do the same, and a report on what does not.
import { Document, isCollection, isScalar, visit } from "yaml";
import { renderProblems } from "../../config/problems.ts";
import { ConfigSource } from "../../config/source.ts";
import { SetupError } from "../../errors.ts";
import { type Composed, compose } from "./compose.ts";
import { type Credentials, type Deployment, readDeployment } from "./deployment.ts";
import { type Finding, Findings } from "./findings.ts";
import type { ImportedProvider } from "./provider-book.ts";
import { isMap, Section } from "./section.ts";
import { readSettings, type Settings, tellRest } from "./settings.ts";
import { rulesText } from "./statements.ts";
import { type Variable, Variables } from "./variables.ts";

/** What is read, and how the result is to refer to its rules. */
export interface ImportRequest {
  /** The file's name in messages and comments. */
  readonly name: string;
  readonly text: string;
  /** The new config's `rules`. */
  readonly rules: string;
  /** Wall clock, milliseconds: prices that have begun by then hold. */
  readonly nowMs: number;
}

/** What an import came to. */
export interface Imported {
  /** The new config; null when no model could be carried over. */
  readonly config: string | null;
  readonly rules: string;
  /** How many names callers can write in `model`, patterns expanded. */
  readonly models: number;
  readonly providers: number;
  /** What the new config reads from the environment. */
  readonly variables: readonly Variable[];
  readonly findings: readonly Finding[];
}

const SECTIONS = ["model_list", "general_settings", "litellm_settings", "router_settings", "environment_variables"];

/**
 * Reads a LiteLLM proxy config.
 * @throws SetupError 78 when it is not YAML, with line and column, or not such a config
 */
export function importLitellm({ name, text, rules, nowMs }: ImportRequest): Imported {
  const source = new ConfigSource(name, text, null);
  const root = readRoot(source);
  const findings = new Findings(source);
  const variables = new Variables(source.value);
  const router = root.section("router_settings");
  const deployments = readModelList(root, findings);
  const known = new Set(deployments.map((deployment) => deployment.name));
  const aliases = readAliases(router, known, findings);
  const composed = compose({ deployments, aliases, variables, findings, nowMs });
  const providers = composed.providers.providers().map((provider) => provider.name);
  const general = root.section("general_settings");
  const litellm = root.section("litellm_settings");
  const settings = readSettings({ general, litellm, router, providers }, variables, findings);
  readEnvironment(root.section("environment_variables"), variables, findings);
  tellRest(root, findings);
  const statements = [...settings.statements, ...composed.statements];
  return {
    config: inUse(composed).length === 0 ? null : configText(name, rules, composed, settings),
    rules: rulesText(name, statements, findings),
    models: composed.models.size,
    providers: inUse(composed).length,
    variables: variables.all(),
    findings: findings.all(),
  };
}

function readRoot(source: ConfigSource): Section {
  if (source.problems.length > 0) throw new SetupError(renderProblems(source, source.problems));
  const { value } = source;
  if (isMap(value) && SECTIONS.some((key) => Object.hasOwn(value, key))) {
    if (value.model_list === undefined || value.model_list === null || Array.isArray(value.model_list)) {
      return new Section(value, []);
    }
    const wrong = { span: source.keySpan(["model_list"]), message: "`model_list` is not a list", help: null };
    throw new SetupError(renderProblems(source, [wrong]));
  }
  const help = `it has none of ${SECTIONS.join(", ")}`;
  throw new SetupError(renderProblems(source, [{ span: null, message: "not a LiteLLM proxy config", help }]));
}

function readModelList(root: Section, findings: Findings): Deployment[] {
  const credentials = readCredentials(root, findings);
  const list = root.take("model_list");
  const entries = (Array.isArray(list) ? list : []).map((entry, index) => new Section(entry, ["model_list", index]));
  tellUnused(credentials, entries, findings);
  return entries.flatMap((entry) => readDeployment(entry, credentials, findings) ?? []);
}

function readCredentials(root: Section, findings: Findings): Credentials {
  const list = root.take("credential_list");
  const found = new Map<string, { values: unknown; path: readonly PropertyKey[] }>();
  for (const [index, item] of (Array.isArray(list) ? list : []).entries()) {
    const entry = new Section(item, ["credential_list", index]);
    const name = entry.text("credential_name");
    const path = entry.at("credential_values");
    if (name === null) findings.add("unmapped", entry.path, "`credential_name` is missing");
    else found.set(name, { values: entry.take("credential_values"), path });
    entry.take("credential_info");
    tellRest(entry, findings);
  }
  return found;
}

function tellUnused(credentials: Credentials, entries: readonly Section[], findings: Findings): void {
  const named = new Set(entries.map((entry) => entry.peek("litellm_params", "litellm_credential_name")));
  for (const [name, { path }] of credentials) {
    if (!named.has(name)) findings.add("note", path, `not needed: no model names the credential \`${name}\``);
  }
}

/** `model_group_alias`: a name, or `{model, hidden}`, for a `model_name`. */
function readAliases(router: Section, known: ReadonlySet<string>, findings: Findings): Map<string, string[]> {
  const written = router.section("model_group_alias");
  const found = new Map<string, string[]>();
  for (const alias of written.left()) {
    const plain = written.text(alias);
    const details = written.section(alias);
    const model = plain ?? details.text("model");
    if (details.flag("hidden") === true)
      findings.add("note", details.at("hidden"), "`GET /v1/models` lists it all the same");
    if (model === null || !known.has(model))
      findings.add("unmapped", written.at(alias), "stands for no model that was carried over");
    else found.set(model, [...(found.get(model) ?? []), alias]);
    tellRest(details, findings);
  }
  return found;
}

/** LiteLLM sets these variables itself. */
function readEnvironment(section: Section, variables: Variables, findings: Findings): void {
  const read = new Set(variables.all().map(({ name }) => name));
  for (const name of section.left()) {
    if (read.has(name)) findings.add("set", section.at(name), "its value stands here: set it where the gateway runs");
    else findings.add("note", section.at(name), "not needed: nothing that was carried over reads it");
  }
}

/** A pattern that could not be expanded leaves a provider without models. */
function inUse({ providers, models }: Composed): readonly ImportedProvider[] {
  const named = new Set([...models.values()].map(({ provider }) => provider));
  return providers.providers().filter(({ name, models }) => named.has(name) || models?.length !== 0);
}

function configText(name: string, rules: string, composed: Composed, settings: Settings): string {
  const { admin, limits, log } = settings;
  const data = {
    ...(admin.key === undefined ? {} : { admin }),
    rules,
    providers: inUse(composed),
    models: Object.fromEntries(composed.models),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(Object.keys(log).length === 0 ? {} : { log }),
  };
  const document = new Document(data, { aliasDuplicateObjects: false });
  visit(document, { Pair: (_key, { key, value }) => setFlow(key, value) });
  document.commentBefore = ` Made from ${name}, a LiteLLM proxy config, by \`tollgate import litellm\`. Yours to edit.\n It listens on 127.0.0.1:4000; for other machines write listen: 0.0.0.0:4000`;
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** Prices and wires stand on one line. */
function setFlow(key: unknown, value: unknown): void {
  if (isScalar(key) && (key.value === "price" || key.value === "wire") && isCollection(value)) value.flow = true;
}
