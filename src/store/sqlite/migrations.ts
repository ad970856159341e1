// The SQLite schema, as the steps that lead to it, and the rule for which files may be opened.
import type Database from "better-sqlite3";
import { StoreError } from "../store.ts";
import { ACCOUNT_MODEL } from "./account-schema.ts";
import { CREDITS } from "./credit-schema.ts";
import { NAMES } from "./name-schema.ts";

/** `PRAGMA application_id` of a Tollgate database: "toll" in ASCII. */
const APPLICATION_ID = 0x746f6c6c;

/**
 * Step n leads from `user_version` n to n + 1. A step that has been released is never edited.
 * Money is INTEGER nano-USD; times are milliseconds since the epoch; `win` is a window's index.
 */
const STEPS: readonly string[] = [
  `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL -- grows with every change of a key, team or budget
  ) STRICT;
  INSERT INTO meta (id, revision) VALUES (1, 1);

  CREATE TABLE teams (
    id TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE keys (
    id TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    last_four TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled', 'revoked')),
    team_id TEXT REFERENCES teams (id),
    user_alias TEXT,
    roles TEXT NOT NULL, -- a JSON array of strings
    tags TEXT NOT NULL, -- a JSON array of strings
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER
  ) STRICT;

  CREATE TABLE budgets (
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL CHECK (scope IN ('key', 'team', 'user', 'org')),
    subject_id TEXT NOT NULL,
    win TEXT NOT NULL CHECK (win IN ('day', 'week', 'month', 'year', 'total')),
    limit_nano_usd INTEGER NOT NULL CHECK (limit_nano_usd >= 0),
    UNIQUE (subject_id, scope, win)
  ) STRICT;

  CREATE TABLE counters (
    quota TEXT NOT NULL,
    win TEXT NOT NULL,
    spent INTEGER NOT NULL,
    unaccounted INTEGER NOT NULL, -- the part of spent that was charged for dead processes' leases
    PRIMARY KEY (quota, win)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE leases (
    quota TEXT NOT NULL,
    win TEXT NOT NULL,
    process TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (quota, win, process)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX leases_empty ON leases (process) WHERE amount = 0;

  CREATE TABLE processes (
    id TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL, -- boot and PID namespace: where the pid means something
    pid INTEGER NOT NULL,
    started TEXT, -- the kernel's start time of the pid, which tells a reused pid from the process
    beat INTEGER NOT NULL,
    heartbeat_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE requests (
    id TEXT, -- the caller may choose it, so it is not unique
    received_ms INTEGER,
    method TEXT,
    path TEXT,
    endpoint TEXT,
    ip TEXT,
    key_id TEXT,
    key_alias TEXT,
    team_id TEXT,
    team_alias TEXT,
    user_id TEXT,
    org_id TEXT,
    model_requested TEXT,
    model TEXT,
    provider TEXT,
    stream INTEGER,
    status INTEGER,
    error TEXT,
    decision TEXT,
    rule_ids TEXT, -- a JSON array of strings, or NULL for none; likewise the next two
    shadow_ids TEXT,
    unknown TEXT,
    generation INTEGER,
    input_tokens INTEGER, -- NULL where there was no usage
    output_tokens INTEGER,
    cached_input_tokens INTEGER,
    cache_write_tokens INTEGER,
    estimated INTEGER,
    reserved_nano_usd INTEGER,
    cost_nano_usd INTEGER,
    outcome TEXT,
    request_bytes INTEGER,
    response_bytes INTEGER,
    first_byte_ms REAL,
    total_ms REAL
  );
  CREATE INDEX requests_received ON requests (received_ms);
  `,
  `
  ALTER TABLE meta ADD COLUMN ledger_ms INTEGER NOT NULL DEFAULT 0; -- the time that expiries go by: it never goes back
  ALTER TABLE counters ADD COLUMN expires_ms INTEGER; -- when it may be forgotten; NULL: kept for good
  CREATE INDEX counters_expiry ON counters (expires_ms) WHERE expires_ms IS NOT NULL;
  ALTER TABLE leases ADD COLUMN expires_ms INTEGER; -- of the counter, for when the lease is charged to it
  ALTER TABLE leases ADD COLUMN unit TEXT NOT NULL DEFAULT 'nano-usd';

  CREATE TABLE recoveries (
    at_ms INTEGER NOT NULL,
    process TEXT NOT NULL,
    pid INTEGER NOT NULL,
    quota TEXT NOT NULL,
    win TEXT NOT NULL,
    unit TEXT NOT NULL,
    amount INTEGER NOT NULL -- charged as unaccounted
  ) STRICT;
  CREATE INDEX recoveries_at ON recoveries (at_ms);
  `,
  // Organisations, and rules kept on them, on teams and on keys; no text is longer than RULES_BYTES_MAX.
  `
  CREATE TABLE organizations (
    id TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    rules TEXT CHECK (length(CAST(rules AS BLOB)) <= 65536) -- in the rule language
  ) STRICT;
  ALTER TABLE teams ADD COLUMN org_id TEXT REFERENCES organizations (id);
  ALTER TABLE teams ADD COLUMN rules TEXT CHECK (length(CAST(rules AS BLOB)) <= 65536);
  ALTER TABLE keys ADD COLUMN rules TEXT CHECK (length(CAST(rules AS BLOB)) <= 65536);
  `,
  `
  ALTER TABLE requests ADD COLUMN warning_ids TEXT; -- a JSON array of strings, or NULL for none
  ALTER TABLE requests ADD COLUMN rules_hash TEXT; -- NULL where no rules decided
  ALTER TABLE requests ADD COLUMN facts TEXT; -- a JSON object: see rules/record.ts

  CREATE TABLE rule_hits (
    rule_id TEXT NOT NULL,
    day INTEGER NOT NULL, -- days since 1970-01-01, UTC
    hits INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (rule_id, day)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO rule_hits (rule_id, day, hits, last_ms)
    SELECT ids.value, requests.received_ms / 86400000, count(*), max(requests.received_ms)
    FROM requests, json_each((
      SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(coalesce(rule_ids, '[]')) UNION SELECT value FROM json_each(coalesce(shadow_ids, '[]'))
      )
    )) AS ids
    WHERE requests.rule_ids IS NOT NULL OR requests.shadow_ids IS NOT NULL
    GROUP BY 1, 2;
  `,
  `
  CREATE TABLE kept_rules (
    directory TEXT NOT NULL PRIMARY KEY, -- absolute path of the rules directory
    hash TEXT NOT NULL,
    kept_ms INTEGER NOT NULL,
    files TEXT NOT NULL -- a JSON array of {name, text}
  ) STRICT, WITHOUT ROWID;
  `,
  ACCOUNT_MODEL,
  CREDITS,
  `
  CREATE TABLE spend (
    key_id TEXT NOT NULL, -- empty for none; likewise the next three
    team_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    org_id TEXT NOT NULL,
    nano_usd INTEGER NOT NULL,
    PRIMARY KEY (key_id, team_id, user_id, org_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX spend_team ON spend (team_id) WHERE team_id <> '';
  CREATE INDEX spend_user ON spend (user_id) WHERE user_id <> '';
  CREATE INDEX spend_org ON spend (org_id) WHERE org_id <> '';
  INSERT INTO spend (key_id, team_id, user_id, org_id, nano_usd)
    SELECT coalesce(key_id, ''), coalesce(team_id, ''), coalesce(user_id, ''), coalesce(org_id, ''), sum(cost_nano_usd)
    FROM requests WHERE cost_nano_usd > 0 GROUP BY 1, 2, 3, 4;
  CREATE TABLE spend_forgotten ( -- what had been spent when it was last reset
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    nano_usd INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE iam_rules (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('org', 'team', 'key')),
    object_id TEXT NOT NULL,
    rule_type TEXT NOT NULL,
    rule_value TEXT NOT NULL, -- a JSON object: see accounts/iam-values.ts
    status TEXT NOT NULL CHECK (status IN ('active', 'inactive')),
    rank INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX iam_rules_object ON iam_rules (object_id);
  `,
  NAMES,
  `
  ALTER TABLE rule_hits ADD COLUMN refused INTEGER NOT NULL DEFAULT 0; -- of hits: by a limit or budget statement
  `,
  `
  CREATE TABLE recoveries_new (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    process TEXT NOT NULL,
    pid INTEGER NOT NULL,
    quota TEXT NOT NULL,
    win TEXT NOT NULL,
    unit TEXT NOT NULL,
    amount INTEGER NOT NULL, -- charged as unaccounted
    open INTEGER NOT NULL, -- of amount: still charged
    in_flight TEXT NOT NULL DEFAULT '[]', -- a JSON array of request ids
    reversed_ms INTEGER,
    reversed_by TEXT,
    reason TEXT
  ) STRICT;
  INSERT INTO recoveries_new (id, at_ms, process, pid, quota, win, unit, amount, open)
    SELECT old.rowid, at_ms, process, pid, old.quota, old.win, unit, amount, min(amount, coalesce(unaccounted, 0))
    FROM recoveries AS old LEFT JOIN counters ON counters.quota = old.quota AND counters.win = old.win;
  DROP TABLE recoveries;
  ALTER TABLE recoveries_new RENAME TO recoveries;
  CREATE INDEX recoveries_at ON recoveries (at_ms);
  CREATE INDEX recoveries_open ON recoveries (process, quota, win) WHERE open > 0;
  ALTER TABLE processes ADD COLUMN in_flight TEXT NOT NULL DEFAULT '[]'; -- a JSON array of {requestId, quotas}
  `,
  `
  CREATE TABLE budget_warnings ( -- those that were told
    quota TEXT NOT NULL,
    win TEXT NOT NULL,
    amount INTEGER NOT NULL, -- what had been passed
    told_ms INTEGER NOT NULL,
    PRIMARY KEY (quota, win, amount)
  ) STRICT, WITHOUT ROWID;
  `,
  // How often what was spent was forgotten: names counters that have no budget's id.
  `
  ALTER TABLE organizations ADD COLUMN spend_epoch INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE teams ADD COLUMN spend_epoch INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE users ADD COLUMN spend_epoch INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE keys ADD COLUMN spend_epoch INTEGER NOT NULL DEFAULT 0;
  `,
];

/** The version that a database had before the account model. */
export const BEFORE_ACCOUNT_MODEL = STEPS.indexOf(ACCOUNT_MODEL);

/**
 * Brings a database up to this version's schema, in one transaction.
 * `cannot_open` when it is not a Tollgate database or was written by a newer version.
 * @param to an older version, to try the way from there
 */
export function migrate(db: Database.Database, to = STEPS.length): void {
  if (isCurrent(db)) return;
  db.transaction(() => {
    const version = readVersion(db);
    for (const step of STEPS.slice(version, to)) db.exec(step);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${to}`);
  }).immediate();
}

function isCurrent(db: Database.Database): boolean {
  return readVersion(db) === STEPS.length;
}

function readVersion(db: Database.Database): number {
  const version = Number(db.pragma("user_version", { simple: true }));
  const application = Number(db.pragma("application_id", { simple: true }));
  const isEmpty = db.prepare("SELECT count(*) FROM sqlite_schema").pluck().get() === 0;
  if (application !== APPLICATION_ID && !(isEmpty && version === 0)) {
    throw new StoreError("cannot_open", `${db.name} is an SQLite database, but not one of Tollgate's`);
  }
  if (version > STEPS.length) {
    const versions = `its schema is version ${version}, this one knows up to ${STEPS.length}`;
    throw new StoreError("cannot_open", `${db.name} was written by a newer Tollgate (${versions}): upgrade to use it`);
  }
  return version;
}
