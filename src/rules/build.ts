// From rule files' texts to a rule set that can decide, or to the report that says why not.
import { createHash } from "node:crypto";
import { type RuleCatalogue, vocabularyOf } from "./catalogue.ts";
import { checkSteps } from "./check.ts";
import type { CheckedSet } from "./checked.ts";
import { type Diagnostic, diagnostic, isError, sortDiagnostics } from "./diagnostics.ts";
import { type ParsedFile, parseSteps, type StatementCache } from "./parse.ts";
import { type TestRun, testFindings, testSteps, untestedDenies } from "./run-tests.ts";
import type { Source } from "./source.ts";
import { finish, type Steps } from "./steps.ts";

/** What building came to. */
export interface Built {
  /** null when any file has an error or a test fails that must not: all files or nothing. */
  readonly set: CheckedSet | null;
  /** The set also where its tests fail, for `tollgate test` and `explain`; null when a file has another error. */
  readonly checked: CheckedSet | null;
  readonly tests: readonly TestRun[];
  readonly diagnostics: readonly Diagnostic[];
}

/** A file that could not be read, by name. */
export interface Unreadable {
  readonly name: string;
  readonly reason: string;
}

/** All files of a rules directory at one moment, sorted by name. */
export interface Snapshot {
  readonly sources: readonly Source[];
  readonly unreadable: readonly Unreadable[];
  /** SHA-256 over names and contents, 64 hex digits. */
  readonly hash: string;
}

/** Makes a snapshot of texts; the hash covers what could not be read as well. */
export function snapshotOf(sources: readonly Source[], unreadable: readonly Unreadable[] = []): Snapshot {
  const hash = createHash("sha256");
  for (const { name, text } of sources) hash.update(JSON.stringify([name, text]));
  for (const { name, reason } of unreadable) hash.update(JSON.stringify([name, null, reason]));
  return { sources, unreadable, hash: hash.digest("hex") };
}

/** Several snapshots as one; a file that is in two of them is taken once. */
export function mergeSnapshots(snapshots: readonly Snapshot[]): Snapshot {
  const byName = new Map(snapshots.flatMap(({ sources }) => sources).map((source) => [source.label, source]));
  const unreadable = snapshots.flatMap((snapshot) => snapshot.unreadable);
  return snapshotOf([...byName.values()].sort(byNameThenLabel), unreadable);
}

/** Parses and checks a snapshot, and runs its tests. @param nowMs wall clock, milliseconds since the epoch. */
export function build(snapshot: Snapshot, catalogue: RuleCatalogue, cache: StatementCache, nowMs: number): Built {
  return finish(buildSteps(snapshot, catalogue, cache, nowMs));
}

/** The same in steps. */
export function* buildSteps(
  snapshot: Snapshot,
  catalogue: RuleCatalogue,
  cache: StatementCache,
  nowMs: number,
): Steps<Built> {
  const broken = snapshot.unreadable.map(({ name, reason }) => unreadable(name, reason));
  if (snapshot.sources.length === 0) {
    const help = "rules live in files that end in `.rules`; without one nothing is allowed or denied";
    const missing = diagnostic("E218", null, { start: 0, end: 0 }, "there is no rule file", help);
    return { set: null, checked: null, tests: [], diagnostics: broken.length > 0 ? broken : [missing] };
  }
  const files: ParsedFile[] = [];
  for (const source of snapshot.sources) files.push(yield* parseSteps(source, cache));
  cache.turn();
  const vocabulary = cache.memory.settle(vocabularyOf(catalogue));
  const checked = yield* checkSteps(files, vocabulary, nowMs, cache.memory);
  const runs = checked.set === null ? [] : yield* testSteps(checked.set, vocabulary);
  const failed = testFindings(runs, vocabulary);
  const hints = checked.set === null ? [] : untestedDenies(checked.set, runs);
  const findings =
    failed.length + hints.length === 0 ? checked.diagnostics : [...checked.diagnostics, ...failed, ...hints];
  return {
    set: broken.length > 0 || failed.some(isError) ? null : checked.set,
    checked: checked.set,
    tests: runs,
    diagnostics: [...broken, ...sortDiagnostics(findings)],
  };
}

function byNameThenLabel(a: Source, b: Source): number {
  const keyOf = ({ name, label }: Source): string => `${name}\n${label}`;
  return keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0;
}

function unreadable(name: string, reason: string): Diagnostic {
  return diagnostic(
    "E218",
    { name, label: name, text: "" },
    { start: 0, end: 0 },
    reason,
    "no rule of any file is loaded until it can be read",
  );
}
