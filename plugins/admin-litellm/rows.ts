// Account objects as LiteLLM shows them.
import { type AccountObject, type Fields, keyTypeOf, momentJson, type Spent } from "../../src/plugin.ts";
import { budgetsJson } from "./budgets.ts";
import { ID_NAMES, LITE_FIELDS, type LiteKind } from "./fields.ts";

/** An object in LiteLLM's shape. */
export type Row = Readonly<Record<string, unknown>>;

/** What a row shows beside the object. */
export interface RowContext {
  readonly spent: Spent;
  /** Of a key's team, where the caller may see it. */
  readonly team?: AccountObject | null;
  /** Of a team or an organisation. */
  readonly members?: readonly object[];
  /** Ids of a user's teams. */
  readonly teams?: readonly string[];
}

/** The names of what a row shows and nobody sets by sending it back. */
export const READ_ONLY: Readonly<Record<LiteKind, readonly string[]>> = {
  key: [
    ...["token", "token_id", "key_name", "team_alias", "organization_id", "expires"],
    ...["created_at", "created_by", "updated_by"],
  ],
  team: ["members_with_roles", "admins", "members", "created_at", "created_by", "updated_by"],
  user: ["teams", "created_at", "created_by", "updated_by"],
  org: ["members", "litellm_budget_table", "created_at", "created_by", "updated_by"],
};

/** What changes by itself: whoever sends a row back sends what it was. */
export const READINGS: ReadonlySet<string> = new Set(["spend", "budget_reset_at", "last_active"]);

/** The row of an object of any kind. */
export function rowOf(object: AccountObject, context: RowContext): Row {
  const kind = object.kind as LiteKind;
  return {
    ...namesOf(object, context),
    ...fieldsJson(kind, object.fields),
    ...budgetsJson(object.fields, context.spent),
    ...(kind === "key" ? keyJson(object) : { blocked: object.fields.status !== "active" }),
    ...peopleOf(kind, context),
    ...(kind === "org" ? { litellm_budget_table: budgetTable(object, context) } : {}),
    created_at: momentJson(object.createdMs),
    created_by: object.createdBy,
    updated_at: momentJson(object.updatedMs),
    updated_by: object.updatedBy,
  };
}

function namesOf({ kind, id, secret }: AccountObject, { team }: RowContext): Row {
  if (secret === null) return { [ID_NAMES[kind as LiteKind]]: id };
  return {
    ...{ token: secret.hash, token_id: id, key_name: `sk-...${secret.lastFour}` },
    ...{ team_alias: team?.fields.alias ?? null, organization_id: team?.fields.orgId ?? null },
  };
}

function fieldsJson(kind: LiteKind, fields: Fields): Row {
  return Object.fromEntries(
    Object.entries(LITE_FIELDS[kind]).map(([name, { ours, show }]) => {
      const value = fields[ours] ?? null;
      return [name, show === undefined ? value : show(value)];
    }),
  );
}

function keyJson({ fields, secret }: AccountObject): Row {
  const routes = (fields.allowedRoutes ?? []) as readonly string[];
  return {
    blocked: fields.status !== "active",
    key_type: keyTypeOf(routes),
    expires: momentJson(fields.expiresMs as number | null),
    last_active: momentJson(secret?.lastUsedMs ?? null),
    // Clients of LiteLLM read these without asking whether they are there.
    ...{ config: {}, permissions: {} },
  };
}

function peopleOf(kind: LiteKind, { members = [], teams = [] }: RowContext): Row {
  if (kind === "user") return { teams };
  if (kind === "org") return { members };
  return kind === "team" ? { members_with_roles: members, admins: [], members: [] } : {};
}

function budgetTable({ fields }: AccountObject, { spent }: RowContext): Row {
  const { max_budget, budget_duration, budget_reset_at } = budgetsJson(fields, spent);
  const { soft_budget, tpm_limit, rpm_limit, max_parallel_requests, model_max_budget } = fieldsJson("org", fields);
  return {
    ...{ max_budget, budget_duration, budget_reset_at, soft_budget },
    ...{ tpm_limit, rpm_limit, max_parallel_requests, model_max_budget },
  };
}
