// `tollgate rules replay`: which recorded requests a candidate rule set would have decided otherwise.
import { performance } from "node:perf_hooks";
import { SetupError } from "../errors.ts";
import { vocabularyOf } from "../rules/catalogue.ts";
import { createReplay } from "../rules/replay.ts";
import type { RecordedRequest } from "../types.ts";
import type { Io } from "./command.ts";
import { parseOptions, usage } from "./options.ts";
import { ReplayReport } from "./replay-report.ts";
import { counted, type FindSurroundings, readSet } from "./rule-files.ts";
import { readMoment } from "./values.ts";
import { withRequests } from "./with-store.ts";

/** How far back requests are replayed. */
export const REPLAY_SINCE = "7d";

const COMMAND = "rules replay";
/** Between two lines of progress, milliseconds. */
const PROGRESS_MS = 2_000;
/** Requests between two looks at the clock. */
const PROGRESS_STEP = 1_000;

/** Replays, beside a running gateway too. Exit code 2 when something changes or cannot be told. */
export async function replay(argv: readonly string[], io: Io, find: FindSurroundings): Promise<number> {
  const { values, positionals } = parseOptions(argv, {
    command: COMMAND,
    options: { since: { type: "string" }, limit: { type: "string" } },
    positionals: ["NEW"],
  });
  const sinceMs = readMoment(COMMAND, "--since", values.since ?? REPLAY_SINCE, Date.now(), -1);
  const limit = readLimit(values.limit);
  const set = await readSet(COMMAND, positionals, values.config, io, find);
  const { catalogue } = await find(values.config, io);
  const decide = createReplay(set, vocabularyOf(catalogue));
  const report = await withRequests(io, values.config, (requests) => {
    if (requests === null) throw new SetupError("there is no database yet, so there are no requests to replay", 1);
    const found = new ReplayReport(sinceMs);
    for (const record of withProgress(requests.decided(sinceMs), limit, io)) found.add(record, decide(record));
    return found;
  });
  io.stdout.write(values.json ? `${JSON.stringify(report.toJson(), null, 2)}\n` : report.toText());
  io.stderr.write(`${counted(report.requests, "request")} replayed: ${report.summary()}\n`);
  return report.isClean ? 0 : 2;
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw usage(COMMAND, `--limit takes a whole number above 0, not \`${text}\``);
}

/** The newest `limit` records, with a word on stderr now and then. */
function* withProgress(records: Iterable<RecordedRequest>, limit: number, io: Io): Generator<RecordedRequest> {
  let told = performance.now();
  let count = 0;
  for (const record of records) {
    if (count >= limit) return;
    yield record;
    count += 1;
    if (count % PROGRESS_STEP !== 0 || performance.now() - told < PROGRESS_MS) continue;
    told = performance.now();
    io.stderr.write(`${count} requests so far, back to ${new Date(record.receivedMs).toISOString()}\n`);
  }
}
