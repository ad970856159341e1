// `tollgate audit`: who changed which account, when, from what to what.
import { systemClock } from "../clock.ts";
import type { Command, Io } from "./command.ts";
import { PLACE_HELP, parseDeskOptions, type ShownEntry, withDesk } from "./desk.ts";
import { renderTable } from "./table.ts";
import { readCount, readMoment } from "./values.ts";

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
${PLACE_HELP}

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
  const { values, place } = parseDeskOptions(argv, { command: "audit", options });
  const { since, object } = values;
  const sinceMs = since === undefined ? undefined : readMoment("audit", "--since", since, systemClock.nowMs(), -1);
  const [limit, afterSeq] = [
    readCount("audit", "--limit", values.limit ?? String(LIMIT)),
    readCount("audit", "--after", values.after ?? "0"),
  ];
  const query = { sinceMs, object, limit, afterSeq };
  const entries = await withDesk(io, place, (desk) => desk.audit(query));
  if (values.json) io.stdout.write(`${JSON.stringify({ entries })}\n`);
  else if (entries.length === 0) io.stderr.write("nothing was changed\n");
  else io.stdout.write(table(entries));
  if (entries.length === limit) io.stderr.write(`there may be more: --after ${entries.at(-1)?.seq}\n`);
  return 0;
}

function table(entries: readonly ShownEntry[]): string {
  const columns = ["AT", "ACTOR", "ACTION", "OBJECT", "FIELD", "OLD", "NEW"];
  const rows = entries.map(({ at, actor, action, kind, alias, field, old, new: now }) => [
    ...[at.slice(0, 19), actor, action, `${kind} ${alias}`, field ?? "-"],
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
