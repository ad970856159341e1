// The step of the schema that brings the account model: a step of migrations.ts, never edited once it is released.

/**
 * Users, access groups, memberships, settings, versions, rotation, the audit log. Names of what is deleted are free
 * again, so their uniqueness moves from the tables to indexes.
 */
export const ACCOUNT_MODEL = `
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
  CREATE INDEX keys_live ON keys (seq) WHERE deleted_ms IS NULL; -- numbered pages pass over its entries
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
`;
