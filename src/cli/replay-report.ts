// What a replay came to: counts, whom it concerns, what was charged, and the first examples.
import { formatUsd } from "../money.ts";
import type { Replayed } from "../rules/replay.ts";
import type { RecordedRequest } from "../types.ts";
import { type Column, renderTable } from "./table.ts";
import { momentJson } from "./values.ts";

/** Examples of each kind. */
const EXAMPLES_MAX = 10;
/** Lines of each table for people; `--json` has all. */
const LINES_MAX = 20;

/** Requests of one key, team or rule. */
interface Count {
  requests: number;
  costNanoUsd: bigint;
}

interface Example {
  readonly record: RecordedRequest;
  readonly now: Replayed;
}

/** Requests that come to the same. */
class Group {
  readonly all: Count = { requests: 0, costNanoUsd: 0n };
  /** By key and its team; `-` where there is none. */
  readonly byKey = new Map<string, Count & { readonly names: readonly string[] }>();
  readonly byTeam = new Map<string, Count & { readonly names: readonly string[] }>();
  readonly byRule = new Map<string, Count & { readonly names: readonly string[] }>();
  readonly examples: Example[] = [];

  add(record: RecordedRequest, now: Replayed): void {
    const cost = BigInt(record.costNanoUsd);
    const key = record.keyAlias ?? record.keyId ?? "-";
    const team = record.teamAlias ?? record.teamId ?? "-";
    count(this.all, cost);
    countIn(this.byKey, [key, team], cost);
    countIn(this.byTeam, [team], cost);
    countIn(this.byRule, [now.ruleId ?? "-"], cost);
    if (this.examples.length < EXAMPLES_MAX) this.examples.push({ record, now });
  }
}

function count(into: Count, cost: bigint): void {
  into.requests += 1;
  into.costNanoUsd += cost;
}

function countIn(into: Group["byKey"], names: readonly string[], cost: bigint): void {
  const key = JSON.stringify(names);
  let known = into.get(key);
  if (known === undefined) {
    known = { names, requests: 0, costNanoUsd: 0n };
    into.set(key, known);
  }
  count(known, cost);
}

/** Takes each request once, newest first. Holds counts by key, team and rule, and a few examples: never all requests. */
export class ReplayReport {
  requests = 0;
  private unchanged = 0;
  private readonly denied = new Group();
  private readonly allowed = new Group();
  private readonly open = new Group();
  /** How many requests rest on each attribute that was not recorded. */
  private readonly missing = new Map<string, number>();
  private readonly sinceMs: number;

  constructor(sinceMs: number) {
    this.sinceMs = sinceMs;
  }

  add(record: RecordedRequest, now: Replayed): void {
    this.requests += 1;
    if (now.effect === record.decision) this.unchanged += 1;
    else if (now.effect === "deny") this.denied.add(record, now);
    else if (now.effect === "allow") this.allowed.add(record, now);
    else this.open.add(record, now);
    for (const name of now.missing) this.missing.set(name, (this.missing.get(name) ?? 0) + 1);
  }

  /** True when nothing changes, and that is certain. */
  get isClean(): boolean {
    return this.unchanged === this.requests;
  }

  /** `3 newly denied, 0 newly allowed, 10 unchanged, 1 undecidable`. */
  summary(): string {
    const [denied, allowed, open] = [this.denied, this.allowed, this.open].map(({ all }) => all.requests);
    return `${denied} newly denied, ${allowed} newly allowed, ${this.unchanged} unchanged, ${open} undecidable`;
  }

  toText(): string {
    const parts = [
      totals([
        ["newly denied", this.denied.all],
        ["newly allowed", this.allowed.all],
        ["undecidable", this.open.all],
        ["unchanged", { requests: this.unchanged, costNanoUsd: 0n }],
      ]),
      ...groupText("newly denied", this.denied),
      ...groupText("newly allowed", this.allowed),
      ...groupText("undecidable", this.open),
    ];
    if (this.missing.size > 0) parts.push(missingText(this.missing));
    return parts.join("\n");
  }

  toJson(): object {
    return {
      since: momentJson(this.sinceMs),
      requests: this.requests,
      unchanged: this.unchanged,
      newly_denied: groupJson(this.denied),
      newly_allowed: groupJson(this.allowed),
      undecidable: {
        ...groupJson(this.open),
        missing: [...this.missing].map(([attribute, requests]) => ({ attribute, requests })),
      },
    };
  }
}

const left = (title: string): Column => ({ title, align: "left" });
const right = (title: string): Column => ({ title, align: "right" });

function totals(rows: readonly (readonly [string, Count])[]): string {
  return renderTable(
    [left("RESULT"), right("REQUESTS"), right("RECORDED COST")],
    rows.map(([name, { requests, costNanoUsd }]) => [name, String(requests), costNanoUsd > 0n ? usd(costNanoUsd) : ""]),
  );
}

function groupText(title: string, group: Group): string[] {
  if (group.all.requests === 0) return [];
  const table = (by: string, titles: readonly string[], counts: Group["byKey"]): string => {
    const sorted = dearestFirst(counts);
    const rows = sorted.slice(0, LINES_MAX).map((row) => [...row.names, String(row.requests), usd(row.costNanoUsd)]);
    const more = sorted.length > LINES_MAX ? `and ${sorted.length - LINES_MAX} more: --json has all\n` : "";
    const columns = [...titles.map(left), right("REQUESTS"), right("RECORDED COST")];
    return `${title}, by ${by}\n${renderTable(columns, rows)}${more}`;
  };
  const columns = ["REQUEST", "KEY", "MODEL", "THEN", "NOW"].map(left);
  const rows = group.examples.map(({ record, now }) => [
    record.id,
    record.keyAlias ?? "-",
    record.model ?? "-",
    thenText(record),
    now.effect === null ? `rests on ${now.missing.join(", ")}` : `${now.effect}${byText(now.ruleId)}`,
  ]);
  return [
    table("key", ["KEY", "TEAM"], group.byKey),
    table("team", ["TEAM"], group.byTeam),
    ...(title === "undecidable" ? [] : [table("rule", ["RULE"], group.byRule)]),
    `${title}, the newest (\`tollgate explain REQUEST\` says more)\n${renderTable(columns, rows)}`,
  ];
}

function missingText(missing: ReadonlyMap<string, number>): string {
  const rows = [...missing].sort((a, b) => b[1] - a[1]).map(([name, requests]) => [name, String(requests)]);
  return `not recorded\n${renderTable([left("ATTRIBUTE"), right("REQUESTS")], rows)}`;
}

function groupJson({ all, byKey, byTeam, byRule, examples }: Group): object {
  const sums = ({ requests, costNanoUsd }: Count): object => ({ requests, cost_usd: formatUsd(costNanoUsd) });
  return {
    ...sums(all),
    by_key: dearestFirst(byKey).map((row) => ({ key: row.names[0], team: row.names[1], ...sums(row) })),
    by_team: dearestFirst(byTeam).map((row) => ({ team: row.names[0], ...sums(row) })),
    by_rule: dearestFirst(byRule).map((row) => ({ rule: row.names[0], ...sums(row) })),
    examples: examples.map(({ record, now }) => ({
      request_id: record.id,
      received: momentJson(record.receivedMs),
      key: record.keyAlias,
      team: record.teamAlias,
      model: record.model,
      cost_usd: formatUsd(record.costNanoUsd),
      old: { effect: record.decision, rule: record.ruleIds[0] ?? null },
      new: { effect: now.effect, rule: now.ruleId },
      missing: now.missing,
    })),
  };
}

function dearestFirst(counts: Group["byKey"]): (Count & { readonly names: readonly string[] })[] {
  return [...counts.values()].sort(
    (a, b) =>
      Number(b.costNanoUsd - a.costNanoUsd) || b.requests - a.requests || (a.names.join() < b.names.join() ? -1 : 1),
  );
}

function thenText({ decision, ruleIds }: RecordedRequest): string {
  return `${decision}${byText(ruleIds[0] ?? null)}`;
}

const byText = (ruleId: string | null): string => (ruleId === null ? "" : ` by ${ruleId}`);
const usd = (nanoUsd: bigint): string => `$${formatUsd(nanoUsd)}`;
