// Rules kept on organisations, teams and keys in SQLite.
import type Database from "better-sqlite3";
import { iamText } from "../../accounts/iam-text.ts";
import type { InlineRules, Subject } from "../../types.ts";
import { RULES_BYTES_MAX, type RuleScope, StoreError } from "../store.ts";
import { IamRuleTable } from "./iam-rules.ts";

const SCOPES: readonly RuleScope[] = ["org", "team", "key"];
const TABLES: Readonly<Record<RuleScope, string>> = { org: "organizations", team: "teams", key: "keys" };

/** The `rules` columns. Every function runs inside the caller's transaction. */
export class InlineRuleTexts {
  readonly #db: Database.Database;
  readonly #iam: IamRuleTable;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#iam = new IamRuleTable(db);
  }

  /** @param text null for none */
  set(scope: RuleScope, { id }: Subject, text: string | null): void {
    assertFits(text);
    this.#db.prepare(`UPDATE ${TABLES[scope]} SET rules = ? WHERE id = ?`).run(text, id);
  }

  /** On organisations, then teams, then keys, each oldest first: what was written as rules, and what IAM rules come to. */
  all(): readonly InlineRules[] {
    return SCOPES.flatMap((scope) => {
      const sql = `
        SELECT id, alias, rules FROM ${TABLES[scope]} WHERE deleted_ms IS NULL AND (rules IS NOT NULL
          OR id IN (SELECT object_id FROM iam_rules WHERE kind = ?)) ORDER BY seq`;
      const rows = this.#db.prepare<[string], Subject & { readonly rules: string | null }>(sql).all(scope);
      return rows.flatMap(({ id, alias, rules }): InlineRules[] => {
        const kept = { scope, subject: { id, alias } };
        const iam = iamText(this.#iam.of(scope, id));
        return [
          ...(rules === null ? [] : [{ ...kept, text: rules }]),
          ...(iam === null ? [] : [{ ...kept, text: iam, origin: "iam" as const }]),
        ];
      });
    });
  }
}

/** @throws StoreError `too_long` */
export function assertFits(text: string | null): void {
  if (text === null || Buffer.byteLength(text) <= RULES_BYTES_MAX) return;
  throw new StoreError("too_long", `Rules kept on a subject are up to ${RULES_BYTES_MAX} bytes long`);
}
