// What an account object's fields ask of its requests, as rules in the rule language: there is one engine for all.
import type { Fields, Json } from "../store/directory.ts";

/** What else the text depends on. */
export interface PolicyContext {
  /** Models by access group; a name that is not there is no group. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** How often what was spent was forgotten: counters of money have it in their names. */
  readonly spendEpoch: number;
}

/** A budget for one model. */
interface ModelBudget {
  readonly limitUsd: string;
  readonly window: string;
}

/** Names of the access groups that the text would ask for. */
export function groupsIn(fields: Fields): readonly string[] {
  return [...names(fields.accessGroups), ...names(fields.models)];
}

/**
 * The rules that these fields come to; null for none. Each statement is named, `account-…`, so that its counter stays
 * the same when its amount changes. They only narrow: two lists of models must both have a model.
 */
export function policyText(fields: Fields, { groups, spendEpoch }: PolicyContext): string | null {
  const models = names(fields.models);
  const lines = [
    models.length === 0 ? [] : modelsLine(expand(models, groups), "account-models"),
    groupsLine(names(fields.accessGroups), groups),
    ipLine(names(fields.ipRanges)),
    limitLines(fields),
    Object.entries(map<ModelBudget>(fields.modelBudgets)).flatMap(([model, { limitUsd, window }]) =>
      counting(`budget $${limitUsd} per ${window}`, nameFor(modelBudgetName(spendEpoch), model), model),
    ),
  ].flat();
  return lines.length === 0 ? null : `${lines.join("\n")}\n`;
}

/** How the names of the counters of budgets by model begin. */
export function modelBudgetName(spendEpoch: number): string {
  return spendEpoch === 0 ? "account-budget" : `account-budget${spendEpoch}`;
}

function groupsLine(wanted: readonly string[], groups: ReadonlyMap<string, readonly string[]>): readonly string[] {
  if (wanted.length === 0) return [];
  return modelsLine(
    wanted.flatMap((name) => groups.get(name) ?? []),
    "account-groups",
  );
}

/** A model is in the list by the name that the caller wrote (an alias) or by its own. An empty list has none. */
function modelsLine(models: readonly string[], as: string): readonly string[] {
  if (models.includes("*")) return [];
  if (models.length === 0) return [`deny as ${as} because "None of its access groups has a model"`];
  const list = `[${models.map(quoted).join(", ")}]`;
  return [`deny unless model in ${list} or model.requested in ${list} as ${as}`];
}

function ipLine(ranges: readonly string[]): readonly string[] {
  return ranges.length === 0 ? [] : [`deny when ip not in [${ranges.join(", ")}] as account-ip-ranges`];
}

function limitLines(fields: Fields): readonly string[] {
  const { rpmLimit, tpmLimit, maxParallelRequests } = fields;
  const perModel = (field: Json | undefined, unit: string, as: string): readonly string[] =>
    Object.entries(map<number>(field)).map(([model, count]) =>
      counting(`limit ${count} ${unit} per 1m`, nameFor(as, model), model),
    );
  return [
    ...(isSet(rpmLimit) ? [counting(`limit ${rpmLimit} requests per 1m`, "account-rpm")] : []),
    ...(isSet(tpmLimit) ? [counting(`limit ${tpmLimit} tokens per 1m`, "account-tpm")] : []),
    ...(isSet(maxParallelRequests) ? [counting(`limit ${maxParallelRequests} concurrent`, "account-parallel")] : []),
    ...perModel(fields.modelRpmLimits, "requests", "account-rpm"),
    ...perModel(fields.modelTpmLimits, "tokens", "account-tpm"),
  ];
}

/** A `limit` or `budget` statement. The language has none of 0: nothing is left of it, so it denies, with its status. */
function counting(clause: string, as: string, model?: string): string {
  const about = model === undefined ? "" : ` model ${quoted(model)}`;
  if (!/^(?:limit|budget) \$?0 /.test(clause)) return `${clause}${about} as ${as}`;
  return `deny${about} as ${as} because "${clause.replace(/^(\w+)/, "A $1 of")} leaves nothing to use" status 429`;
}

/** A group's name stands for its models; any other name for itself. */
function expand(models: readonly string[], groups: ReadonlyMap<string, readonly string[]>): readonly string[] {
  return models.flatMap((name) => groups.get(name) ?? [name]);
}

/** A rule's name that no two models share. */
function nameFor(as: string, model: string): string {
  return `${as}-${Buffer.from(model).toString("hex")}`;
}

/** A pattern stands bare, a name in quotes: it may begin with a digit. */
function quoted(name: string): string {
  return /[*?]/.test(name) ? name : JSON.stringify(name);
}

function names(value: Json | undefined): readonly string[] {
  return (value ?? []) as readonly string[];
}

function map<Value>(value: Json | undefined): Readonly<Record<string, Value>> {
  return (value ?? {}) as Readonly<Record<string, Value>>;
}

function isSet(value: Json | undefined): value is number {
  return value !== undefined && value !== null;
}
