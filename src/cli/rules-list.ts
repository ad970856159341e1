// `tollgate rules list`: every rule with its place and text, how often it matched and when it last did.
import { SetupError } from "../errors.ts";
import { type CheckedRule, isCounting } from "../rules/checked.ts";
import { ruleText } from "../rules/explain.ts";
import { boundRules, InlineRulesError } from "../rules/inline-bind.ts";
import { inForce } from "../rules/interpret.ts";
import { formatDate } from "../rules/local-time.ts";
import { whereOf } from "../rules/source.ts";
import type { RuleHits } from "../store/store.ts";
import type { Io } from "./command.ts";
import { listKeptRules } from "./kept-rules.ts";
import { parseOptions } from "./options.ts";
import { counted, type FindSurroundings, partArguments, readSet } from "./rule-files.ts";
import { type Column, renderTable } from "./table.ts";
import { momentJson, readMoment } from "./values.ts";
import { withRequests } from "./with-store.ts";

/** How far back hits are counted. */
export const LIST_SINCE = "30d";

/** The effects whose matches are recorded. */
const COUNTED: ReadonlySet<string> = new Set(["deny", "allow", "only", "warn", "limit", "budget"]);

type Hits = ReadonlyMap<string, RuleHits>;

/** Lists the rules that are named, else the config's. */
export async function list(argv: readonly string[], io: Io, find: FindSurroundings): Promise<number> {
  const { paths, rest } = partArguments(argv, ["config", "since"]);
  const options = { since: { type: "string" }, unused: { type: "boolean" }, inline: { type: "boolean" } } as const;
  const { values } = parseOptions(rest, { command: "rules list", options });
  const now = Date.now();
  const sinceMs = readMoment("rules list", "--since", values.since ?? LIST_SINCE, now, -1);
  const { rules: ofFiles } = await readSet("rules", paths, values.config, io, find);
  const all = values.inline ? [...ofFiles, ...(await readKept(values.config, io, find))] : ofFiles;
  const hits = await withRequests(io, values.config, (requests) => requests?.ruleHits(sinceMs) ?? null);
  const rules = values.unused ? all.filter((rule) => isUnused(rule, hits, now)) : all;
  if (values.json) io.stdout.write(`${JSON.stringify({ rules: rules.map((rule) => toJson(rule, hits)) }, null, 2)}\n`);
  else if (rules.length > 0) io.stdout.write(toTable(rules, hits, now));
  const note =
    hits === null ? "; no database, so no hits" : `; hits since ${new Date(sinceMs).toISOString().slice(0, 10)}`;
  io.stderr.write(`${counted(rules.length, values.unused ? "unused rule" : "rule")}${note}\n`);
  return 0;
}

/** The rules that are kept in the database. @throws SetupError 2 with the report when some have an error */
async function readKept(config: string | undefined, io: Io, find: FindSurroundings): Promise<readonly CheckedRule[]> {
  const [all, { catalogue }] = await Promise.all([listKeptRules(config, io), find(config, io)]);
  try {
    return all.flatMap((rules) => boundRules(rules, catalogue));
  } catch (error) {
    if (error instanceof InlineRulesError) throw new SetupError(error.report.trimEnd(), 2, error);
    throw error;
  }
}

/** Whether the rule could have matched, and has not. */
function isUnused(rule: CheckedRule, hits: Hits | null, nowMs: number): boolean {
  return inForce(rule, nowMs) && COUNTED.has(rule.effect) && (hits?.get(rule.id)?.hits ?? 0) === 0;
}

function toJson(rule: CheckedRule, hits: Hits | null): object {
  const hit = hits?.get(rule.id);
  return {
    where: whereOf(rule),
    id: rule.id,
    mode: rule.mode,
    effect: rule.effect,
    owner: rule.owner,
    until: rule.untilDay === null ? null : formatDate(rule.untilDay),
    text: ruleText(rule),
    hits: hits === null ? null : (hit?.hits ?? 0),
    ...(isCounting(rule) ? { refused: hits === null ? null : (hit?.refused ?? 0) } : {}),
    last_hit: momentJson(hit?.lastMs ?? null),
  };
}

function toTable(rules: readonly CheckedRule[], hits: Hits | null, nowMs: number): string {
  const left = (title: string): Column => ({ title, align: "left" });
  const number = (title: string): Column => ({ title, align: "right" });
  const refuses = rules.some(isCounting);
  const counts = [number("HITS"), ...(refuses ? [number("REFUSED")] : []), left("LAST HIT")];
  const rows = rules.map((rule) => {
    const hit = hits?.get(rule.id);
    const refused = refuses ? [isCounting(rule) ? String(hit?.refused ?? 0) : ""] : [];
    const seen = [String(hit?.hits ?? 0), ...refused, hit === undefined ? "" : agoText(nowMs - hit.lastMs)];
    const id = rule.id === whereOf(rule) ? "" : rule.id;
    return [whereOf(rule), id, rule.owner ?? "", ...(hits === null ? [] : seen), ruleText(rule)];
  });
  return renderTable([left("WHERE"), left("ID"), left("OWNER"), ...(hits === null ? [] : counts), left("RULE")], rows);
}

/** `3d ago`. */
function agoText(ms: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
  ] as const;
  const [unit, size] = units.find(([, one]) => ms >= one) ?? ["s", 1_000];
  return `${Math.max(0, Math.floor(ms / size))}${unit} ago`;
}
