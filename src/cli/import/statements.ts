// What a foreign config restricts, as statements of the rule language; those that the language cannot say as comments.
import { build, snapshotOf } from "../../rules/build.ts";
import { StatementCache } from "../../rules/parse.ts";
import type { DeploymentLimits } from "./deployment.ts";
import type { Findings } from "./findings.ts";

/** A statement and the key that it stands for. */
export interface Statement {
  readonly text: string;
  readonly path: readonly PropertyKey[];
  /** Its key in words, for the comment above it. */
  readonly about: string;
}

/** The statements for one entry's limits. @param when what selects its requests: `model.requested = fast` */
export function limitStatements(
  limits: DeploymentLimits,
  when: string,
  path: readonly PropertyKey[],
  findings: Findings,
): Statement[] {
  const { requestsPerMinute, tokensPerMinute, concurrent, budget } = limits;
  const all: Statement[] = [];
  const add = (key: string, text: string): void => {
    all.push({ text: `${text} when ${when}`, path: [...path, "litellm_params", key], about: key });
  };
  if (requestsPerMinute !== null) add("rpm", `limit ${requestsPerMinute} requests per 1m`);
  if (tokensPerMinute !== null) add("tpm", `limit ${tokensPerMinute} tokens per 1m`);
  if (concurrent !== null) add("max_parallel_requests", `limit ${concurrent} concurrent`);
  const spend = budget === null ? null : budgetClause(budget.usd, budget.duration);
  if (spend !== null) add("max_budget", spend);
  else if (budget !== null) tellBudget([...path, "litellm_params", "max_budget"], findings);
  return all;
}

/** `budget $100 per 30d` of LiteLLM's `max_budget` and `budget_duration`; null when it is no such budget. */
export function budgetClause(usd: number, duration: string | null): string | null {
  const amount = decimal(usd);
  const period = duration === null ? "total" : periodOf(duration.trim());
  return amount === null || amount === "0" || period === null ? null : `budget $${amount} per ${period}`;
}

/** Says that a budget could not be read. */
export function tellBudget(path: readonly PropertyKey[], findings: Findings): void {
  const help = "write it as a `budget` rule: rules/README.md";
  findings.add("unmapped", path, "not an amount above 0 with a duration such as 30d", help);
}

/** Plain decimals, at most nine; null for what needs more, or is no amount. */
function decimal(usd: number): string | null {
  if (!Number.isFinite(usd) || usd < 0 || usd >= 1e12) return null;
  const text = usd.toFixed(9).replace(/\.?0+$/, "");
  return Number(text) === usd ? text : null;
}

/** `30s 30m 30h 30d 1mo` → the language's duration, or `month`. */
function periodOf(duration: string): string | null {
  const [, count, unit] = /^(\d{1,4})\s*(s|m|h|d|w|mo)$/.exec(duration) ?? [];
  if (count === undefined || Number(count) === 0) return null;
  if (unit === "mo") return Number(count) === 1 ? "month" : null;
  return unit === "w" ? `${Number(count) * 7}d` : `${Number(count)}${unit}`;
}

/** A name as a rule writes it: in quotes unless it is a plain word. */
export function word(name: string): string {
  return /^[A-Za-z_][\w.\-/:@+]*$/.test(name) ? name : JSON.stringify(name);
}

/** `a` or `[a, b]`, after `=` or `in`. */
export function oneOfWords(names: readonly string[]): string {
  const [first = ""] = names;
  return names.length === 1 ? `= ${word(first)}` : `in [${names.map(word).join(", ")}]`;
}

/**
 * The rule file. A statement that the checker refuses becomes a comment, and is told.
 * @param file the old config's name, for the head of the file
 */
export function rulesText(file: string, statements: readonly Statement[], findings: Findings): string {
  const parts = statements.map((statement) => {
    const { line } = findings.place(statement.path);
    const above = `# ${file}:${line}: ${statement.about}`;
    if (isRead(statement.text)) return `${above}\n${statement.text}\n`;
    findings.add("unmapped", statement.path, `the rule language cannot say \`${statement.text}\``, COMMENTED);
    return `${above} (not in force: the rule language cannot say it)\n# ${statement.text}\n`;
  });
  return `${head(file)}\n${parts.map((part) => `\n${part}`).join("")}`;
}

const COMMENTED = "it stands in the rule file as a comment";

function head(file: string): string {
  return [
    `# Made from ${file}, a LiteLLM proxy config, by \`tollgate import litellm\`. Yours to edit: rules/README.md has the`,
    "# language, `tollgate check` says what is wrong.",
    "",
    "version 1",
    "default allow",
  ].join("\n");
}

/** Whether the checker takes the statement, beside the head's `default`. */
function isRead(text: string): boolean {
  const source = { name: "import.rules", label: "import.rules", text: `default allow\n${text}\n` };
  return build(snapshotOf([source]), { models: () => [] }, new StatementCache(), 0).set !== null;
}
