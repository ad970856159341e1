-- A database of schema version 1, as its tables stood then, with a team and a key.
PRAGMA application_id = 1953459308;
PRAGMA user_version = 1;
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  revision INTEGER NOT NULL -- grows with every change of a key, team or budget
) STRICT;
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
INSERT INTO meta (id, revision) VALUES (1, 3);
INSERT INTO teams (id, alias, created_ms) VALUES ('team_old', 'ml', 1);
INSERT INTO keys (id, alias, hash, prefix, last_four, status, team_id, user_alias, roles, tags, created_ms, expires_ms)
  VALUES ('key_old', 'demo', x'00', 'sk-demo', 'demo', 'active', 'team_old', NULL, '["dev"]', '[]', 2, NULL);
