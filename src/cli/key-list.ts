// How keys are listed: without their secrets, with what they are now.
import type { KeyListing, KeyRow, KeyStatus } from "../store/store.ts";
import { renderTable } from "./table.ts";
import { budgetJson, budgetText, momentJson } from "./values.ts";

/** A key in JSON output, as it is at that moment. */
export function keyJson(key: KeyListing, nowMs: number): object {
  return {
    id: key.id,
    alias: key.alias,
    prefix: key.prefix,
    last_four: key.lastFour,
    status: statusOf(key, nowMs),
    team: key.team?.alias ?? null,
    budgets: key.budgets.map(budgetJson),
    created: momentJson(key.createdMs),
    expires: momentJson(key.expiresMs),
  };
}

/** Keys for people. */
export function keyTable(all: readonly KeyListing[], nowMs: number): string {
  const titles = ["ID", "ALIAS", "KEY", "STATUS", "TEAM", "BUDGET", "CREATED", "EXPIRES"];
  const columns = titles.map((title) => ({ title, align: "left" as const }));
  const day = (ms: number | null): string => momentJson(ms)?.slice(0, 10) ?? "never";
  const rows = all.map((key) => [
    key.id,
    key.alias,
    `${key.prefix}…${key.lastFour}`,
    statusOf(key, nowMs),
    key.team?.alias ?? "-",
    budgetText(key.budgets) || "-",
    day(key.createdMs),
    day(key.expiresMs),
  ]);
  return renderTable(columns, rows);
}

/** The stored status, or `expired`. */
function statusOf(key: KeyRow, nowMs: number): KeyStatus | "expired" {
  return key.status === "active" && key.expiresMs !== null && key.expiresMs <= nowMs ? "expired" : key.status;
}
