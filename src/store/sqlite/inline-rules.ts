// Rules kept on organisations, teams and keys in SQLite.
import type Database from "better-sqlite3";
import type { InlineRules, Subject } from "../../types.ts";
import { RULES_BYTES_MAX, type RuleScope, StoreError } from "../store.ts";

const SCOPES: readonly RuleScope[] = ["org", "team", "key"];
const TABLES: Readonly<Record<RuleScope, string>> = { org: "organizations", team: "teams", key: "keys" };

/** The `rules` columns. Every function runs inside the caller's transaction. */
export class InlineRuleTexts {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** @param text null for none */
  set(scope: RuleScope, { id }: Subject, text: string | null): void {
    assertFits(text);
    this.#db.prepare(`UPDATE ${TABLES[scope]} SET rules = ? WHERE id = ?`).run(text, id);
  }

  /** On organisations, then teams, then keys, each oldest first. */
  all(): readonly InlineRules[] {
    return SCOPES.flatMap((scope) => {
      const sql = `SELECT id, alias, rules FROM ${TABLES[scope]} WHERE rules IS NOT NULL AND deleted_ms IS NULL ORDER BY seq`;
      const rows = this.#db.prepare<[], Subject & { readonly rules: string }>(sql).all();
      return rows.map(({ id, alias, rules }) => ({ scope, subject: { id, alias }, text: rules }));
    });
  }
}

/** @throws StoreError `too_long` */
export function assertFits(text: string | null): void {
  if (text === null || Buffer.byteLength(text) <= RULES_BYTES_MAX) return;
  throw new StoreError("too_long", `Rules kept on a subject are up to ${RULES_BYTES_MAX} bytes long`);
}
