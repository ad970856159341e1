// `tollgate audit`: who changed which account, when, from what to what.
import { auditJson, fieldNamed } from "../accounts/audit-json.ts";
import { systemClock } from "../clock.ts";
import type { AuditEntry } from "../store/directory.ts";
import { LOCAL, withAccounts } from "./account-service.ts";
import type { Command, Io } from "./command.ts";
import { parseOptions } from "./options.ts";
import { renderTable } from "./table.ts";
import { momentJson, readCount, readMoment } from "./values.ts";

const LIMIT = 1_000;

const HELP = `
Shows who changed which organisation, team, user, key or access group, oldest first. Secrets are never in it.

Usage:
  tollgate audit [--since WHEN] [--object ID|ALIAS] [--limit N] [--json]

Options:
  --since WHEN        a duration (7d, 12h) or a date (2026-11-01, 00:00 UTC); all when left out
  --object ID|ALIAS   one object alone, also one that was deleted
  --limit N           at most so many; default: ${LIMIT}
  --after SEQ         goes on after that entry
  --json              JSON on stdout: {"entries":[{"seq","at","actor","action","kind","id","alias","field","old","new"}]}
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

The actor is \`local\` for a command on this machine, \`master\` for the admin key, else \`user:ID\` or \`key:ID\`.

Examples:
  tollgate audit --since 7d
  tollgate audit --object ci --json
`;

export const audit: Command = {
  name: "audit",
  summary: "who changed which account, and what",
  help: HELP.trimStart(),
  run,
};

async function run(argv: readonly string[], io: Io): Promise<number> {
  const text = { type: "string" } as const;
  const options = { since: text, object: text, limit: text, after: text };
  const { values } = parseOptions(argv, { command: "audit", options });
  const { since, object } = values;
  const sinceMs = since === undefined ? undefined : readMoment("audit", "--since", since, systemClock.nowMs(), -1);
  const [limit, afterSeq] = [
    readCount("audit", "--limit", values.limit ?? String(LIMIT)),
    readCount("audit", "--after", values.after ?? "0"),
  ];
  const query = { sinceMs, object, limit, afterSeq };
  const entries = await withAccounts(io, values.config, (accounts) => accounts.audit(LOCAL, query));
  if (values.json) io.stdout.write(`${JSON.stringify({ entries: entries.map(auditJson) })}\n`);
  else if (entries.length === 0) io.stderr.write("nothing was changed\n");
  else io.stdout.write(table(entries));
  if (entries.length === limit) io.stderr.write(`there may be more: --after ${entries.at(-1)?.seq}\n`);
  return 0;
}

function table(entries: readonly AuditEntry[]): string {
  const columns = ["AT", "ACTOR", "ACTION", "OBJECT", "FIELD", "OLD", "NEW"];
  const rows = entries.map(({ atMs, actor, action, kind, objectAlias, field, old, new: now }) => [
    ...[momentJson(atMs)?.slice(0, 19) ?? "", actor, action, `${kind} ${objectAlias}`, fieldNamed(field) ?? "-"],
    ...[old, now].map((value) => (value === null ? "-" : short(value))),
  ]);
  return renderTable(
    columns.map((title) => ({ title, align: "left" as const })),
    rows,
  );
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
