// Reads what a client of LiteLLM sends: its fields as ours, what it sends back unchanged as nothing.
import { AccountError, type Fields, type Submitted, z } from "../../src/plugin.ts";
import { budgetFields, named, readBudgets, type SentBudgets } from "./budgets.ts";
import { endOf } from "./durations.ts";
import { LITE_FIELDS, type LiteKind, NEEDLESS, UNSUPPORTED } from "./fields.ts";
import { READ_ONLY, READINGS, type Row } from "./rows.ts";

/** A body, its shapes checked. */
export type Sent = Readonly<Record<string, unknown>>;

/** What is there: for a new object nothing. */
export interface Before {
  readonly fields: Fields;
  /** As the client was shown it; null for a new object. */
  readonly row: Row | null;
}

/** The shape of what can be sent for a kind. What is shown and what is not supported is in it: it is told apart later. */
export function sentSchema(kind: LiteKind) {
  const fields = Object.entries(LITE_FIELDS[kind]).map(([name, { schema }]) => [name, schema.nullish()] as const);
  const known = [...READ_ONLY[kind], ...READINGS, "updated_at", ...Object.keys(UNSUPPORTED), ...Object.keys(NEEDLESS)];
  const rest = known.map((name) => [name, z.unknown().optional()] as const);
  return z.strictObject({
    ...Object.fromEntries([...rest, ...fields]),
    ...budgetFields,
    blocked: z.boolean().nullish(),
    ...(kind === "key" ? keyOnly : {}),
  });
}

const keyOnly = {
  key_type: z.enum(["default", "llm_api", "management", "read_only"]).nullish().describe("A preset of allowed_routes"),
  duration: z.string().nullish().describe("From now: 30s, 30m, 30h, 30d or 1mo; -1 or null for never"),
};

/**
 * The fields to change, by our names. What equals what the client was shown asks for nothing.
 * @param spare names that the caller of this reads itself
 * @throws AccountError `invalid_field`; `conflict` when the row was shown before the object's last change
 */
export function readSent(
  kind: LiteKind,
  sent: Sent,
  before: Before,
  nowMs: number,
  spare: readonly string[],
): Submitted {
  assertCurrent(sent, before.row);
  const wanted = Object.entries(sent).filter(
    ([name, value]) => value !== undefined && !spare.includes(name) && !isEcho(name, value, sent, before.row),
  );
  const changed = Object.fromEntries(wanted);
  assertKnown(kind, changed);
  return {
    ...readFields(kind, changed),
    ...readTyped("budget_limits", () => readBudgets(changed as SentBudgets, before.fields)),
    ...readBlocked(kind, changed.blocked, before.fields),
    ...(kind === "key" ? readKeyOnly(changed, nowMs) : {}),
  };
}

/** Who sends a row back with the time of its last change is told when there was another since. */
function assertCurrent({ updated_at: shown }: Sent, row: Row | null): void {
  if (shown === undefined || shown === null || row === null || shown === row.updated_at) return;
  throw new AccountError("conflict", "It has changed since `updated_at`: look at it again", { field: "updated_at" });
}

function isEcho(name: string, value: unknown, sent: Sent, row: Row | null): boolean {
  if (name === "updated_at") return row !== null;
  if (row === null) return false;
  if (Object.hasOwn(row, name) && canonical(name, value) === canonical(name, row[name])) return true;
  // A whole row was read some time ago: what was spent since is no wish.
  return READINGS.has(name) && sent.updated_at !== undefined;
}

/** JSON with every object's names in order; of budgets without what was spent of them. */
function canonical(name: string, value: unknown): string {
  const shown = name === "budget_limits" && Array.isArray(value) ? value.map(withoutReadings) : value;
  return JSON.stringify(shown ?? null, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function withoutReadings({ spend: _spend, reset_at: _reset, ...budget }: Sent): Sent {
  return budget;
}

function assertKnown(kind: LiteKind, changed: Sent): void {
  for (const [name, value] of Object.entries(changed)) {
    if (READINGS.has(name) && !isNothing(value)) {
      throw refused(name, "is what requests add up to: POST /key/{key}/reset_spend forgets it");
    }
    if (READ_ONLY[kind].includes(name) && !isNothing(value)) throw refused(name, "cannot be set");
    const help = Object.hasOwn(UNSUPPORTED, name) ? UNSUPPORTED[name] : undefined;
    if (help !== undefined && !isNothing(value)) throw refused(name, `is not supported: ${help}`);
    if (Object.hasOwn(NEEDLESS, name) && !isNothing(value) && NEEDLESS[name]?.includes(value) !== true) {
      throw refused(name, `can only be ${NEEDLESS[name]?.join(" or ")}`);
    }
  }
}

/** What a form sends that was left empty. */
function isNothing(value: unknown): boolean {
  if (value === null || value === "" || value === false || value === 0) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function readFields(kind: LiteKind, changed: Sent): Submitted {
  const fields = LITE_FIELDS[kind];
  return Object.fromEntries(
    Object.entries(changed).flatMap(([name, value]): [string, unknown][] => {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field === undefined) return [];
      const { ours, read } = field;
      return [[ours, read === undefined ? value : readTyped(name, () => named(name, value, read))]];
    }),
  );
}

function readBlocked(kind: LiteKind, blocked: unknown, { status = "active" }: Fields): Submitted {
  if (typeof blocked !== "boolean" || blocked === (status !== "active")) return {};
  const off = kind === "key" ? "disabled" : "suspended";
  return { status: blocked ? off : "active" };
}

/** An empty duration is a form's that was left empty; null is never. */
function readKeyOnly({ duration, key_type: keyType }: Sent, nowMs: number): Submitted {
  const read = (text: string | null): number | null => endOf(text, nowMs);
  return {
    ...(keyType === undefined || keyType === null ? {} : { keyType }),
    ...(duration === undefined || duration === ""
      ? {}
      : { expiresMs: readTyped("duration", () => named("duration", duration as string | null, read)) }),
  };
}

/** @throws AccountError `invalid_field` where the work throws words about a value */
function readTyped<Read>(name: string, work: () => Read): Read {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new AccountError("invalid_field", error.message, { field: name, cause: error });
  }
}

function refused(name: string, why: string): AccountError {
  return new AccountError("invalid_field", `\`${name}\` ${why}`, { field: name });
}
