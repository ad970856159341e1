// What a field of an account object can hold: how it is read, compared, and when one value is no wider than another.
import { parseBudgetWindow } from "../budget-window.ts";
import { formatUsd, parseUsd } from "../money.ts";
import type { Json } from "../store/directory.ts";
import { routesAreWithin } from "./routes.ts";

/** A kind of field. */
export interface FieldType {
  /**
   * The value as it is stored; null for the default, which `[]`, `{}`, `""` and null all are.
   * @throws TypeError with words for people, without the field's name
   */
  read(value: unknown): Json;
  /** The same text for values that mean the same, whatever their order. Takes what `read` gives. */
  canonical(value: Json): string;
  /** True when `value` lets through no more than `bound` does. Both as `read` gives them. */
  isWithin(value: Json, bound: Json): boolean;
  /** The words that it can be, where it is one of a few. */
  readonly words?: readonly string[];
  /** The words that it can have, where it is a list of them. */
  readonly choices?: readonly string[];
}

const TEXT_MAX = 1_024;
const NAME_MAX = 256;
const LIST_MAX = 1_000;
const JSON_MAX = 64 * 1_024;
/** As rules/quota-clause.ts has it. */
const MODEL_WINDOW_MS = { least: 60_000, most: 366 * 86_400_000 };

const equal = (a: Json, b: Json): boolean => sorted(a) === sorted(b);
/** Fields that restrict nothing by a measure: what was set from above stays as it is. */
const FIXED = { canonical: sorted, isWithin: equal };

/** An alias, an id or another line of text. */
export const text: FieldType = {
  ...FIXED,
  read: (value) => (isEmpty(value) ? null : line(value, NAME_MAX)),
};

/** A text of several lines, kept as it is. */
export const longText: FieldType = {
  ...FIXED,
  read: (value) => {
    if (isEmpty(value)) return null;
    if (typeof value !== "string") throw new TypeError("must be a text");
    return value;
  },
};

export const flag: FieldType = {
  ...FIXED,
  read: (value) => {
    if (isEmpty(value) || value === false) return null;
    if (value !== true) throw new TypeError("must be true or false");
    return true;
  },
};

/** One of a few words; the first is the default. */
export function choice(words: readonly string[]): FieldType {
  return {
    ...FIXED,
    words,
    read: (value) => {
      if (isEmpty(value) || value === words[0]) return null;
      if (typeof value === "string" && words.includes(value)) return value;
      throw new TypeError(`must be one of ${words.join(", ")}`);
    },
  };
}

/** A whole number that limits; null: no limit. */
export const count: FieldType = {
  canonical: sorted,
  isWithin: (value, bound) => bound === null || (value !== null && (value as number) <= (bound as number)),
  read: (value) => (value === null || value === undefined ? null : whole(value)),
};

/** A moment, milliseconds since the epoch, at which something ends; null: never. */
export const moment: FieldType = count;

/** Money that limits, as decimal USD; null: no limit. */
export const usd: FieldType = {
  canonical: sorted,
  isWithin: (value, bound) => bound === null || (value !== null && nano(value) <= nano(bound)),
  read: (value) => (value === null || value === undefined || value === "" ? null : money(value)),
};

/** Names that are a label: tags, roles. */
export const labels: FieldType = { ...FIXED, canonical: asSet, isWithin: sameSet, read: (value) => list(value, label) };

/** Some of a closed list of names. */
export function someOf(known: readonly string[]): FieldType {
  return {
    ...labels,
    choices: known,
    read: (value) =>
      list(value, (one) => {
        if (typeof one === "string" && known.includes(one)) return one;
        throw new TypeError(`must be some of ${known.join(", ")}`);
      }),
  };
}

/** Names of models or access groups, patterns with `*` too; none: all. */
export const models: FieldType = {
  canonical: asSet,
  isWithin: (value, bound) => subset(value, bound, coversModel),
  read: (value) => list(value, modelName),
};

/** Models of an access group: none is none. */
export const members: FieldType = {
  ...FIXED,
  canonical: asSet,
  isWithin: sameSet,
  read: (value) => list(value, modelName),
};

export const routes: FieldType = {
  canonical: asSet,
  isWithin: (value, bound) => routesAreWithin((value ?? []) as string[], (bound ?? []) as string[]),
  read: (value) => list(value, route),
};

/** Addresses and ranges (`10.0.0.0/8`); none: all. */
export const ipRanges: FieldType = {
  canonical: asSet,
  isWithin: (value, bound) => subset(value, bound, (a, b) => a === b),
  read: (value) => list(value, range),
};

/** A JSON object of the caller's own. */
export const json: FieldType = {
  ...FIXED,
  read: (value) => {
    if (isEmpty(value)) return null;
    if (typeof value !== "object" || Array.isArray(value)) throw new TypeError("must be an object");
    const written = JSON.stringify(value);
    if (written.length > JSON_MAX) throw new TypeError(`must be no longer than ${JSON_MAX / 1_024} KiB as JSON`);
    return Object.keys(value as object).length === 0 ? null : (JSON.parse(written) as Json);
  },
};

/** Names of models by what callers write instead. What was set from above stays; more may be added. */
export const modelNames: FieldType = {
  canonical: sorted,
  isWithin: (value, bound) => Object.entries(bound ?? {}).every(([name, model]) => equal(at(value, name), model)),
  read: (value) => {
    if (isEmpty(value)) return null;
    if (typeof value !== "object" || Array.isArray(value)) throw new TypeError("must be an object of models by name");
    const read = Object.entries(value as object).map(([name, model]): [string, Json] => [
      plainModel(name),
      plainModel(model),
    ]);
    if (read.length > LIST_MAX) throw new TypeError(`must have no more than ${LIST_MAX} entries`);
    return read.length === 0 ? null : Object.fromEntries(read);
  },
};

/** Limits by model. */
export const countByModel: FieldType = byModel(count);

/** Budgets: `{limitUsd, window}`, one for each window. The first is the main one. */
export const budgets: FieldType = {
  // The order tells the main budget, but it restricts nothing.
  canonical: asSet,
  isWithin: (value, bound) => entries(bound).every((limit) => entries(value).some((own) => withinBudget(own, limit))),
  read: (value) => {
    const all = list(value, budget) as readonly Budget[] | null;
    if (new Set(all?.map(({ window }) => window)).size < (all?.length ?? 0)) throw new TypeError("has a window twice");
    return all;
  },
};

/** A budget by model: on a period, or on a length that the rule language's `budget` takes. */
export const budgetByModel: FieldType = byModel({
  canonical: sorted,
  isWithin: (value, bound) => bound === null || (value !== null && withinBudget(value as Budget, bound as Budget)),
  read: (value) => (isEmpty(value) ? null : modelBudget(value)),
});

type Budget = { readonly limitUsd: string; readonly window: string };

function byModel(of: FieldType): FieldType {
  return {
    canonical: sorted,
    isWithin: (value, bound) =>
      Object.entries(bound ?? {}).every(([name, limit]) => of.isWithin(at(value, name), limit)),
    read: (value) => {
      if (isEmpty(value)) return null;
      if (typeof value !== "object" || Array.isArray(value)) throw new TypeError("must be an object by model");
      const read = Object.entries(value as object).map(([name, one]): [string, Json] => [
        modelName(name),
        of.read(one),
      ]);
      const set = read.filter(([, one]) => one !== null);
      return set.length === 0 ? null : Object.fromEntries(set);
    },
  };
}

function at(value: Json, name: string): Json {
  const all = (value ?? {}) as { readonly [name: string]: Json };
  return Object.hasOwn(all, name) ? (all[name] ?? null) : null;
}

function entries(value: Json): readonly Budget[] {
  return (value ?? []) as readonly Budget[];
}

function withinBudget(own: Budget, limit: Budget): boolean {
  return own.window === limit.window && nano(own.limitUsd) <= nano(limit.limitUsd);
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === "";
}

function whole(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError("must be a whole number, 0 or more");
}

/** Decimal USD in one spelling: `5`, `0.25`. A number is read as people write it. */
function money(value: unknown): string {
  const written = typeof value === "number" ? numberText(value) : value;
  const amount = typeof written === "string" ? parseUsd(written) : null;
  if (amount === null) throw new TypeError("must be an amount in USD, 0 or more, with at most nine decimals");
  return formatUsd(amount);
}

/** `1e-7` as `0.0000001`; what is finer than a nano-USD is refused as text is. */
function numberText(value: number): string {
  const written = String(value);
  return /e-/.test(written) ? value.toFixed(12).replace(/0+$/, "") : written;
}

function nano(value: Json): bigint {
  return parseUsd(value as string) ?? 0n;
}

/** A list without what is twice in it; null for an empty one. */
function list(value: unknown, item: (value: unknown) => Json): readonly Json[] | null {
  if (isEmpty(value)) return null;
  if (!Array.isArray(value)) throw new TypeError("must be a list");
  if (value.length > LIST_MAX) throw new TypeError(`must have no more than ${LIST_MAX} entries`);
  const unique = new Map(value.map(item).map((one) => [sorted(one), one]));
  return unique.size === 0 ? null : [...unique.values()];
}

function line(value: unknown, charsMax: number): string {
  if (typeof value !== "string" || value !== value.trim() || value.length > charsMax || /\p{Cc}/u.test(value)) {
    throw new TypeError(`must be up to ${charsMax} printable characters, without blanks around them`);
  }
  return value;
}

function label(value: unknown): string {
  if (isEmpty(value)) throw new TypeError("must be a list of texts");
  return line(value, NAME_MAX);
}

function modelName(value: unknown): string {
  if (typeof value === "string" && value.length <= NAME_MAX && isModelName(value)) return value;
  throw new TypeError("must name models: letters, digits and _ . - / : @ + *, patterns beginning with a letter or *");
}

/** A model's name, and no pattern. */
function plainModel(value: unknown): string {
  const name = modelName(value);
  if (/[*?]/.test(name)) throw new TypeError("must have names of models, no patterns");
  return name;
}

/** What the rule language can say: a pattern stands there without quotes. */
function isModelName(name: string): boolean {
  const isPattern = /[*?]/.test(name);
  if (name === "__proto__") return false;
  return isPattern ? /^[A-Za-z_*?](?!.*\.\.)[\w.\-/:@+*?]*$/.test(name) : /^[\w.\-/:@+]+$/.test(name);
}

function route(value: unknown): string {
  const name = line(value, TEXT_MAX);
  if (/^\/[^\s*]*(?:\/\*)?$/.test(name) || /^[a-z_]+$/.test(name)) return name;
  throw new TypeError("must be routes (`/v1/models`, `/v1/*`) or names of groups of routes");
}

function range(value: unknown): string {
  const written = typeof value === "string" ? value.trim() : "";
  if (/^(?:\d{1,3}\.){3}\d{1,3}(?:\/\d{1,2})?$/.test(written) && numbersFit(written)) return written;
  if (/^[0-9a-f:]*:[0-9a-f:]*(?:\/\d{1,3})?$/i.test(written) && isIpv6(written)) return written;
  throw new TypeError("must be addresses or ranges: `10.0.0.0/8`, `2001:db8::1`");
}

function numbersFit(written: string): boolean {
  const [address = "", bits = "32"] = written.split("/");
  return address.split(".").every((part) => Number(part) <= 255) && Number(bits) <= 32;
}

function isIpv6(written: string): boolean {
  const [address = "", bits = "128"] = written.split("/");
  return Number(bits) <= 128 && URL.canParse(`http://[${address}]/`);
}

function modelBudget(value: unknown): Json {
  const read = budget(value);
  const window = parseBudgetWindow(read.window);
  if (window === null || typeof window === "string") return read;
  if (window.durationMs >= MODEL_WINDOW_MS.least && window.durationMs <= MODEL_WINDOW_MS.most) return read;
  throw new TypeError("must have a window from 1m to 366d");
}

function budget(value: unknown): Budget {
  const { limitUsd, window, ...more } = (value ?? {}) as Record<string, unknown>;
  if (Object.keys(more).length > 0) throw new TypeError(`has an unknown part \`${Object.keys(more)[0]}\``);
  const period = window ?? "total";
  if (typeof period !== "string" || parseBudgetWindow(period) === null) {
    throw new TypeError("must have a window: day, week, month, year, total or a length such as 30d");
  }
  return { limitUsd: money(limitUsd), window: period };
}

/** No bound: all. No value: wider than any bound. */
function subset(value: Json, bound: Json, covers: (bound: string, value: string) => boolean): boolean {
  if (bound === null) return true;
  if (value === null) return false;
  return (value as string[]).every((one) => (bound as string[]).some((outer) => covers(outer, one)));
}

/** A name covers itself; a pattern that ends in its only star covers what begins so. */
function coversModel(bound: string, value: string): boolean {
  if (bound === value || bound === "*") return true;
  return /^[^*?]*\*$/.test(bound) && value.startsWith(bound.slice(0, -1));
}

function sameSet(a: Json, b: Json): boolean {
  return asSet(a) === asSet(b);
}

/** A list whatever its order. */
function asSet(value: Json): string {
  return Array.isArray(value) ? JSON.stringify(value.map(sorted).sort()) : sorted(value);
}

/** JSON with the names of every object in order. */
function sorted(value: Json): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
