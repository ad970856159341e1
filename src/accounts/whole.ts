// What must hold of an object as a whole, whichever field was changed.
import type { Fields } from "../store/directory.ts";
import { AccountError } from "./errors.ts";

/** Everything has an alias: one that is empty is none. @throws AccountError `invalid_field` */
export function assertNamed({ alias }: Fields): void {
  if (alias !== undefined && alias !== null) return;
  throw new AccountError("invalid_field", "`alias` is missing", { field: "alias" });
}

/** A service account's key belongs to a team alone. @throws AccountError `invalid_field` */
export function assertKeyIsWhole({ serviceAccount, teamId, userId }: Fields): void {
  if (serviceAccount !== true) return;
  if (typeof teamId !== "string") {
    throw new AccountError("invalid_field", "The key of a service account needs a `team_id`", { field: "teamId" });
  }
  if (typeof userId === "string") {
    throw new AccountError("invalid_field", "The key of a service account has no `user_id`", { field: "userId" });
  }
}

/** A raise without its end would last for ever. @throws AccountError `invalid_field` */
export function assertTempBudget({ tempBudgetIncreaseUsd, tempBudgetExpiresMs }: Fields): void {
  const [increase, expires] = [tempBudgetIncreaseUsd ?? null, tempBudgetExpiresMs ?? null];
  if ((increase === null) === (expires === null)) return;
  const message = "`temp_budget_increase` and `temp_budget_expiry` go together";
  const field = increase === null ? "tempBudgetIncreaseUsd" : "tempBudgetExpiresMs";
  throw new AccountError("invalid_field", message, { field });
}
