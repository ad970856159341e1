// LiteLLM's settings: the few that the new config or a rule can say, and a word on each of the others.
import { parseBytes, parseCidr, parseDuration } from "../../config/units.ts";
import type { Findings } from "./findings.ts";
import { isProviderOf, MOVE } from "./provider-book.ts";
import type { Section } from "./section.ts";
import { budgetClause, type Statement, tellBudget, word } from "./statements.ts";
import type { Variables } from "./variables.ts";

/** What settings come to beside models: parts of the new config, by its own keys, and rules. */
export interface Settings {
  readonly admin: { key?: string };
  readonly limits: Record<string, string>;
  readonly log: Record<string, string>;
  readonly statements: Statement[];
}

/** LiteLLM's sections that hold settings, and the new config's providers. */
export interface SettingSections {
  readonly providers: readonly string[];
  readonly general: Section;
  readonly litellm: Section;
  readonly router: Section;
}

/** Reads them; what is left unread is told, each with what to do instead. */
export function readSettings(sections: SettingSections, variables: Variables, findings: Findings): Settings {
  const { general, litellm, router } = sections;
  const settings: Settings = { admin: {}, limits: {}, log: {}, statements: [] };
  readMasterKey(general, settings, variables, findings);
  readCeilings(sections, settings, findings);
  readLog(litellm, settings);
  readAddresses(general, settings, findings);
  readBudgets(litellm, settings, findings);
  readProviderBudgets(sections, settings, findings);
  for (const section of [general, litellm, router]) tellRest(section, findings);
  return settings;
}

function readMasterKey(general: Section, { admin }: Settings, variables: Variables, findings: Findings): void {
  const written = general.text("master_key");
  if (written === null) return;
  const path = general.at("master_key");
  const secret = variables.secret(written, "TOLLGATE_ADMIN_KEY", "admin.key");
  if (secret === null) return;
  admin.key = secret.text;
  if (secret.isNew) findings.add("set", path, `the key that stands here goes into ${secret.text}`, MOVE);
  const help = "make a virtual key for each app that used it: `tollgate keys create --alias NAME`";
  findings.add("note", path, "the admin key opens the admin listener and makes no requests to models", help);
}

/** LiteLLM's ceilings in MB, which it counts as 1024 × 1024 bytes, and ours. */
const SIZES = [
  ["max_request_size_mb", "body"],
  ["max_response_size_mb", "answer"],
] as const;

function readCeilings({ general, litellm, router }: SettingSections, { limits }: Settings, findings: Findings): void {
  for (const [key, ours] of SIZES) {
    const size = `${general.number(key)}MiB`;
    if (parseBytes(size).ok) limits[ours] = size;
    else if (size !== "nullMiB") findings.add("unmapped", general.at(key), "not a size", `write limits.${ours}`);
  }
  const section = litellm.has("request_timeout") ? litellm : router;
  const key = litellm.has("request_timeout") ? "request_timeout" : "timeout";
  const seconds = section.number(key);
  if (seconds === null) return;
  if (seconds === 0 || !parseDuration(`${seconds}s`).ok) {
    findings.add("unmapped", section.at(key), "not a duration", "write limits.upstream_timeout");
    return;
  }
  limits.upstream_timeout = `${seconds}s`;
  findings.add(
    "note",
    section.at(key),
    "counts until a provider begins its answer; `limits.idle_timeout` goes on from there",
  );
}

function readLog(litellm: Section, { log }: Settings): void {
  if (litellm.flag("json_logs") === true) log.format = "json";
  if (litellm.flag("set_verbose") === true) log.level = "debug";
}

function readAddresses(general: Section, { statements }: Settings, findings: Findings): void {
  const addresses = general.texts("allowed_ips");
  if (addresses === null) return;
  const path = general.at("allowed_ips");
  if (addresses.length === 0 || !addresses.every((one) => parseCidr(one).ok)) {
    findings.add("unmapped", path, "not a list of addresses", "write a rule: deny when ip not in [10.0.0.0/8]");
    return;
  }
  const text = `deny when ip not in [${addresses.join(", ")}]   as allowed-ips`;
  statements.push({ text, path, about: "allowed_ips" });
  if (general.flag("use_x_forwarded_for") !== true) return;
  const help = "set trusted_proxies to the proxies' addresses: none is believed until then";
  findings.add("unmapped", general.at("use_x_forwarded_for"), "anyone could send that header", help);
}

/** Keys of a budget and its duration; whom it counts for. */
const BUDGETS = [
  ["max_budget", "budget_duration", ""],
  ["max_internal_user_budget", "internal_user_budget_duration", " by user when user is set"],
] as const;

function readBudgets(litellm: Section, settings: Settings, findings: Findings): void {
  for (const [amount, duration, whom] of BUDGETS) addBudget(litellm, [amount, duration], whom, settings, findings);
  const defaults = litellm.section("default_internal_user_params");
  const [, , perUser] = BUDGETS[1];
  addBudget(defaults, ["max_budget", "budget_duration"], perUser, settings, findings);
  tellRest(defaults, findings);
}

function addBudget(
  section: Section,
  [amount, duration]: readonly [string, string],
  whom: string,
  { statements }: Settings,
  findings: Findings,
): void {
  const usd = section.number(amount);
  if (usd === null) return;
  const clause = budgetClause(usd, section.text(duration));
  const path = section.at(amount);
  if (clause === null) tellBudget(path, findings);
  else statements.push({ text: clause + whom, path, about: amount });
}

function readProviderBudgets({ router, providers }: SettingSections, settings: Settings, findings: Findings): void {
  const budgets = router.section("provider_budget_config");
  for (const name of budgets.left()) {
    const one = budgets.section(name);
    const ours = providers.filter((each) => isProviderOf(each, name));
    const whom = ` provider ${ours.length === 1 ? word(name) : `[${ours.map(word).join(", ")}]`}`;
    const amount = one.has("budget_limit") ? "budget_limit" : "max_budget";
    if (ours.length === 0) findings.add("unmapped", budgets.at(name), `no provider \`${name}\` was carried over`);
    else addBudget(one, [amount, "time_period"], whom, settings, findings);
    if (ours.length > 0) tellRest(one, findings);
  }
}

const CALLBACKS =
  "one JSON line a request goes to the log (`log.file`), one row to the table that `tollgate usage` sums; a plugin with `record` can send them on";
const RETRIES = "a request goes to one deployment, once; the SDKs try again";
const ACCOUNTS = "give budgets to each key and team: `tollgate keys create --budget`, `tollgate teams create --budget`";
const ONE_PROCESS = "keys, budgets and requests are in one SQLite file on this machine";

/** What to do instead, by key. */
const HINTS: Readonly<Record<string, string>> = {
  allow_requests_on_db_unavailable: "requests are refused while the database cannot be written",
  allowed_fails: RETRIES,
  alerting: CALLBACKS,
  cache: "answers are not cached",
  cache_params: "answers are not cached",
  callbacks: CALLBACKS,
  completion_model: "every request has to name its model",
  content_policy_fallbacks: RETRIES,
  context_window_fallbacks: RETRIES,
  cooldown_time: RETRIES,
  custom_auth: "write a plugin with `authenticate`",
  database_url: `${ONE_PROCESS}: make teams and keys anew with \`tollgate teams create\` and \`tollgate keys create\``,
  default_fallbacks: RETRIES,
  default_key_generate_params: ACCOUNTS,
  default_max_internal_user_budget: ACCOUNTS,
  default_team_settings: CALLBACKS,
  drop_params: "parameters go to the provider as they are; it answers 400 to those that it does not know",
  enable_jwt_auth: "write a plugin with `authenticate`",
  failure_callback: CALLBACKS,
  fallbacks: RETRIES,
  guardrails: "write a plugin with `inspect`",
  include: "import each file by itself and join the results",
  max_parallel_requests: "write a rule: limit N concurrent by key",
  modify_params: "parameters go to the provider as they are",
  num_retries: RETRIES,
  pass_through_endpoints: "only the paths that README.md lists reach a provider",
  redis_host: ONE_PROCESS,
  redis_password: ONE_PROCESS,
  redis_port: ONE_PROCESS,
  redis_url: ONE_PROCESS,
  retry_policy: RETRIES,
  routing_strategy: "requests are not spread over several deployments",
  store_model_in_db: "models stand in the config",
  success_callback: CALLBACKS,
  upperbound_key_generate_params: ACCOUNTS,
};

/** What the gateway does, or has no need of, without being told. */
const NEEDLESS: Readonly<Record<string, string>> = {
  background_health_checks: "no health check asks a provider",
  database_connection_pool_limit: "there is no pool of connections",
  database_connection_timeout: "there is no pool of connections",
  disable_adding_master_key_hash_to_db: "the admin key is never written anywhere",
  health_check_interval: "no health check asks a provider",
  json_logs: "the log is JSON unless it goes to a terminal",
  proxy_batch_write_at: "settlements are written by the end of the next turn of the event loop",
  redact_user_api_key_info: "keys are never logged",
  set_verbose: "`log.level` says how much is logged",
  turn_off_message_logging: "messages are never logged",
};

/** Says what nobody read. */
export function tellRest(section: Section, findings: Findings): void {
  for (const key of section.left()) {
    const path = section.at(key);
    const needless = Object.hasOwn(NEEDLESS, key) ? NEEDLESS[key] : undefined;
    if (section.flag(key) === false) findings.add("note", path, "not needed: it is off");
    else if (needless !== undefined) findings.add("note", path, `not needed: ${needless}`);
    else
      findings.add(
        "unmapped",
        path,
        "has no counterpart in this version",
        Object.hasOwn(HINTS, key) ? HINTS[key] : null,
      );
  }
}
