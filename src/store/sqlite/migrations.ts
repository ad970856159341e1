// The SQLite schema, as the steps that lead to it, and the rule for which files may be opened.
import type Database from "better-sqlite3";
import { StoreError } from "../store.ts";

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
  // The account model: users, access groups, memberships, settings, versions, rotation, the audit log. Names of what is
  // deleted are free again, so their uniqueness moves from the tables to indexes.
  `
  CREATE TABLE organizations_new (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'paused')),
    rules TEXT CHECK (length(CAST(rules AS BLOB)) <= 65536), -- in the rule language
    settings TEXT NOT NULL DEFAULT '{}', -- a JSON object: the fields without a column that are not at their default
    bounds TEXT NOT NULL DEFAULT '{}', -- a JSON object: field -> [{rank, value}]
    version INTEGER NOT NULL DEFAULT 1,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL DEFAULT 'local',
    updated_ms INTEGER NOT NULL,
    updated_by TEXT NOT NULL DEFAULT 'local',
    deleted_ms INTEGER
  ) STRICT;
  INSERT INTO organizations_new (seq, id, alias, rules, created_ms, updated_ms)
    SELECT rowid, id, alias, rules, created_ms, created_ms FROM organizations;

  CREATE TABLE teams_new (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL,
    org_id TEXT REFERENCES organizations_new (id),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'paused')),
    rules TEXT CHECK (length(CAST(rules AS BLOB)) <= 65536),
    settings TEXT NOT NULL DEFAULT '{}',
    bounds TEXT NOT NULL DEFAULT '{}',
    version INTEGER NOT NULL DEFAULT 1,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL DEFAULT 'local',
    updated_ms INTEGER NOT NULL,
    updated_by TEXT NOT NULL DEFAULT 'local',
    deleted_ms INTEGER
  ) STRICT;
  INSERT INTO teams_new (seq, id, alias, org_id, rules, created_ms, updated_ms)
    SELECT rowid, id, alias, org_id, rules, created_ms, created_ms FROM teams;

  CREATE TABLE users (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'internal_user'
      CHECK (role IN ('proxy_admin', 'proxy_admin_viewer', 'internal_user', 'internal_user_viewer')),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'paused')),
    settings TEXT NOT NULL DEFAULT '{}',
    bounds TEXT NOT NULL DEFAULT '{}',
    version INTEGER NOT NULL DEFAULT 1,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL DEFAULT 'local',
    updated_ms INTEGER NOT NULL,
    updated_by TEXT NOT NULL DEFAULT 'local',
    deleted_ms INTEGER
  ) STRICT;
  INSERT INTO users (id, alias, created_ms, updated_ms)
    SELECT user_alias, user_alias, min(created_ms), min(created_ms) FROM keys WHERE user_alias IS NOT NULL
    GROUP BY user_alias ORDER BY min(rowid);

  CREATE TABLE access_groups (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL,
    settings TEXT NOT NULL DEFAULT '{}',
    bounds TEXT NOT NULL DEFAULT '{}',
    version INTEGER NOT NULL DEFAULT 1,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL DEFAULT 'local',
    updated_ms INTEGER NOT NULL,
    updated_by TEXT NOT NULL DEFAULT 'local',
    deleted_ms INTEGER
  ) STRICT;

  CREATE TABLE keys_new (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    last_four TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'revoked')),
    team_id TEXT REFERENCES teams_new (id),
    user_id TEXT REFERENCES users (id),
    roles TEXT NOT NULL DEFAULT '[]', -- a JSON array of strings
    tags TEXT NOT NULL DEFAULT '[]', -- a JSON array of strings
    expires_ms INTEGER,
    rules TEXT CHECK (length(CAST(rules AS BLOB)) <= 65536),
    settings TEXT NOT NULL DEFAULT '{}',
    bounds TEXT NOT NULL DEFAULT '{}',
    version INTEGER NOT NULL DEFAULT 1,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL DEFAULT 'local',
    updated_ms INTEGER NOT NULL,
    updated_by TEXT NOT NULL DEFAULT 'local',
    last_used_ms INTEGER,
    deleted_ms INTEGER
  ) STRICT;
  INSERT INTO keys_new (seq, id, alias, hash, prefix, last_four, status, team_id, user_id, roles, tags, expires_ms, rules,
      created_ms, updated_ms)
    SELECT rowid, id, alias, hash, prefix, last_four, status, team_id, user_alias, roles, tags, expires_ms, rules,
      created_ms, created_ms FROM keys;

  DROP TABLE keys;
  DROP TABLE teams;
  DROP TABLE organizations;
  ALTER TABLE organizations_new RENAME TO organizations;
  ALTER TABLE teams_new RENAME TO teams;
  ALTER TABLE keys_new RENAME TO keys;
  CREATE UNIQUE INDEX organizations_alias ON organizations (alias) WHERE deleted_ms IS NULL;
  CREATE UNIQUE INDEX teams_alias ON teams (alias) WHERE deleted_ms IS NULL;
  CREATE INDEX teams_org ON teams (org_id) WHERE org_id IS NOT NULL;
  CREATE UNIQUE INDEX users_alias ON users (alias) WHERE deleted_ms IS NULL;
  CREATE UNIQUE INDEX access_groups_alias ON access_groups (alias) WHERE deleted_ms IS NULL;
  CREATE UNIQUE INDEX keys_alias ON keys (alias) WHERE deleted_ms IS NULL;
  CREATE INDEX keys_team ON keys (team_id) WHERE team_id IS NOT NULL;
  CREATE INDEX keys_user ON keys (user_id) WHERE user_id IS NOT NULL;

  CREATE TABLE grace_secrets ( -- secrets that were replaced and still work
    hash BLOB NOT NULL PRIMARY KEY,
    key_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX grace_secrets_key ON grace_secrets (key_id);

  CREATE TABLE memberships (
    kind TEXT NOT NULL CHECK (kind IN ('team', 'org')),
    object_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('admin', 'user')),
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, object_id, user_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX memberships_user ON memberships (user_id);

  CREATE TABLE budgets_new (
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL CHECK (scope IN ('key', 'team', 'user', 'org')),
    subject_id TEXT NOT NULL,
    win TEXT NOT NULL, -- day, week, month, year, total, or a length: 30d
    limit_nano_usd INTEGER NOT NULL CHECK (limit_nano_usd >= 0),
    UNIQUE (subject_id, scope, win)
  ) STRICT;
  INSERT INTO budgets_new (rowid, id, scope, subject_id, win, limit_nano_usd)
    SELECT rowid, id, scope, subject_id, win, limit_nano_usd FROM budgets;
  DROP TABLE budgets;
  ALTER TABLE budgets_new RENAME TO budgets;

  CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL, -- of meta, that the change led to: tells caches what changed
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    object_alias TEXT NOT NULL,
    field TEXT,
    old TEXT, -- JSON, secrets masked; likewise the next
    new TEXT
  ) STRICT;
  CREATE INDEX audit_revision ON audit (revision);
  CREATE INDEX audit_at ON audit (at_ms);
  CREATE INDEX audit_object ON audit (object_id);
  `,
];

/**
 * Brings a database up to this version's schema, in one transaction.
 * `cannot_open` when it is not a Tollgate database or was written by a newer version.
 */
export function migrate(db: Database.Database): void {
  if (isCurrent(db)) return;
  db.transaction(() => {
    const version = readVersion(db);
    for (const step of STEPS.slice(version)) db.exec(step);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${STEPS.length}`);
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
