// The step of the schema that brings credits and jobs: a step of migrations.ts, never edited once it is released.

/** Amounts are INTEGER micro-credits. */
export const CREDITS = `
  CREATE TABLE credits (
    team_id TEXT NOT NULL PRIMARY KEY,
    allocated INTEGER NOT NULL CHECK (allocated >= 0),
    spent INTEGER NOT NULL, -- booked for jobs that have ended
    reserved INTEGER NOT NULL CHECK (reserved >= 0) -- the sum of what its open jobs hold
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE credit_transactions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    team_id TEXT NOT NULL REFERENCES credits (team_id),
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('allocate', 'add', 'job', 'refund')),
    amount INTEGER NOT NULL,
    balance_after INTEGER NOT NULL,
    job_id TEXT,
    actor TEXT NOT NULL,
    reason TEXT
  ) STRICT;
  CREATE INDEX credit_transactions_team ON credit_transactions (team_id);

  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    team_id TEXT NOT NULL REFERENCES credits (team_id),
    key_id TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'failed')),
    mode TEXT NOT NULL CHECK (mode IN ('job_based', 'consumption_usd', 'consumption_tokens')),
    metadata TEXT NOT NULL, -- a JSON object
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    completed_ms INTEGER,
    expires_ms INTEGER NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,
    failed_calls INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cost_nano_usd INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL CHECK (held >= 0),
    charged INTEGER NOT NULL DEFAULT 0,
    error TEXT
  ) STRICT;
  CREATE INDEX jobs_team ON jobs (team_id);
  CREATE INDEX jobs_open ON jobs (expires_ms) WHERE completed_ms IS NULL;
`;
