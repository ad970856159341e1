// A load after an edit comes to what a first load of the same files comes to.
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { type Built, build, type Snapshot, snapshotOf } from "../../src/rules/build.ts";
import type { NameIndex, RuleCatalogue } from "../../src/rules/catalogue.ts";
import type { CheckedRule } from "../../src/rules/checked.ts";
import { compileSet } from "../../src/rules/compile.ts";
import { createDecide } from "../../src/rules/decide.ts";
import { StatementCache } from "../../src/rules/parse.ts";
import { splitAgain, splitText } from "../../src/rules/split.ts";
import { caller, callOf, LETS, moment, request, statements, targetList } from "./arbitrary.ts";
import { NOW_MS, CATALOGUE as SAMPLES, source } from "./samples.ts";

const ATTRIBUTES = [...(SAMPLES.attributes?.() ?? [])];
/** As a gateway's, it has the same objects for each load. */
const CATALOGUE: RuleCatalogue = { ...SAMPLES, attributes: () => ATTRIBUTES };

/** Lines that break, bind or join others, beside rules. */
const oddLine = fc.constantFrom(
  ...LETS,
  "let @list = [search, dev]",
  "let @busy = hour in 9..17 or @late",
  "let @late = hour in 18..20 and team in @list",
  "let @late = @busy",
  "timezone Europe/Berlin",
  "timezone UTC",
  "default deny",
  "default deny for team ml",
  "# a comment",
  "",
  "for team [ml, serach] {",
  "  deny model gpt-4 as inner",
  "}",
  "deny model [gpt-4,",
  "dney model gpt-4",
  "deny team unknown-one when @late",
  "deny model gtp-4 until 2026-11-21",
  "only model in @list for team ml",
  "only model gpt-4 for team ml",
  "only model gpt-4o-mini for team ml",
  "deny when ip in @nets and ip not in @nets",
  "limit 5 requests per 1m by key for team in @list",
  'test "one" { given team ml, model gpt-4 expect deny }',
  'test "two" { given team ml expect allow by inner }',
);
const line = fc.oneof(
  { weight: 1, arbitrary: oddLine },
  { weight: 2, arbitrary: statements.map((all) => all.at(-1) ?? "") },
);

type Edit = (files: string[][]) => void;
const at = (part: number, length: number): number => Math.floor(part * length);
const part = fc.double({ min: 0, max: 0.999, noNaN: true });

/** Puts lines in, takes some out, writes one anew, moves some, within a file or to the other one. */
const editOf = (line: fc.Arbitrary<string>): fc.Arbitrary<Edit> =>
  fc.oneof(
    fc.tuple(part, part, fc.array(line, { minLength: 1, maxLength: 3 })).map(
      ([file, where, lines]): Edit =>
        (files) =>
          void files[at(file, 2)]?.splice(at(where, (files[at(file, 2)]?.length ?? 0) + 1), 0, ...lines),
    ),
    fc.tuple(part, part, fc.integer({ min: 1, max: 3 })).map(
      ([file, where, count]): Edit =>
        (files) =>
          void files[at(file, 2)]?.splice(at(where, files[at(file, 2)]?.length ?? 0), count),
    ),
    fc.tuple(part, part, line).map(
      ([file, where, text]): Edit =>
        (files) =>
          void files[at(file, 2)]?.splice(at(where, files[at(file, 2)]?.length ?? 0), 1, text),
    ),
    fc.tuple(part, part, part, part, fc.integer({ min: 1, max: 3 })).map(
      ([from, where, to, there, count]): Edit =>
        (files) => {
          const taken = files[at(from, 2)]?.splice(at(where, files[at(from, 2)]?.length ?? 0), count) ?? [];
          files[at(to, 2)]?.splice(at(there, (files[at(to, 2)]?.length ?? 0) + 1), 0, ...taken);
        },
    ),
  );

const catalogue: fc.Arbitrary<RuleCatalogue> = fc
  .tuple(fc.subarray(["ml", "search", "batch"]), fc.subarray(["ci", "k2"]), targetList, fc.nat(3), fc.boolean())
  .map(([teams, keys, models, kind, isIndex]) => ({
    ...(kind === 0 ? {} : { attributes: () => ATTRIBUTES }),
    models: kind === 1 ? () => models : CATALOGUE.models,
    teams: () => teams,
    keys: () => (isIndex ? indexOf(keys) : keys),
  }));

/** The names as a database gives them: what is known is asked for, name by name. */
const indexOf = (names: readonly string[]): NameIndex => ({
  state: ["", "ci", "k2", "ci,k2"].indexOf(names.join()),
  has: (name) => names.includes(name),
  near: () => names,
});

/** What can be told of a build from outside: everything but which objects are shared. */
function visible({ set, checked, tests, diagnostics }: Built): object {
  const placed = <Thing extends { readonly source: { readonly name: string } | null }>(
    all: readonly Thing[],
  ): object[] => all.map((one) => ({ ...one, source: one.source?.name, memo: null }));
  return {
    isInForce: set !== null,
    rules: placed(checked?.rules ?? []),
    defaults: placed(checked?.defaults ?? []),
    tests: placed(checked?.tests ?? []),
    failures: tests.map(({ failures }) => failures),
    diagnostics: placed(diagnostics),
  };
}

/** Rules of so few words that they cover each other, stand twice and leave nothing, and what changes all of them. */
const closeLine = fc.constantFrom(
  "deny team ml",
  "deny model gpt-4",
  "deny model gpt-4 for team ml",
  "deny model gpt-4 for team ml as gone",
  "deny team search as gone",
  "deny team batch as gone",
  'deny model gpt-4 for team ml because "ask us"',
  "deny model gpt-* for team ml",
  "deny model gpt-* for team @list",
  "deny model gpt-4 for team @list",
  "deny model gpt-4 for team ml when hour in 9..17",
  "deny model gpt-4 for team ml when @late",
  "deny model gpt-4 when n > 2 and n < 2",
  "deny model gpt-4 for team ml until 2026-11-21",
  "shadow deny model gpt-4",
  "allow team ml",
  "allow model gpt-4 for team ml",
  "only model gpt-4 for team ml",
  "only model gpt-4o-mini for team ml",
  "only model claude-* for team ml",
  "let @list = [ml]",
  "let @list = [ml, search]",
  "let @late = hour in 9..17",
  "let @late = team ml",
  "default deny for team search",
  "timezone Europe/Berlin",
  "limit 5 requests per 1m for team ml",
  "limit 9 requests per 1m for team ml",
);

const snapshotOfLines = (files: readonly (readonly string[])[]): Snapshot =>
  snapshotOf(files.map((lines, i) => source(`${lines.join("\n")}\n`, `rules/${i}.rules`)));

/** What there is before any edit, then after each step. */
function states(first: readonly (readonly string[])[], steps: readonly (readonly Edit[])[]): Snapshot[] {
  const files = first.map((lines) => [...lines]);
  const after = steps.map((edits) => {
    for (const edit of edits) edit(files);
    return snapshotOfLines(files);
  });
  return [snapshotOfLines(first), ...after];
}

t.test("a load after any edits comes to what a first load comes to", async (t) => {
  const seen = { builds: 0, sets: 0, findings: 0 };
  const step = fc.tuple(
    fc.array(editOf(line), { minLength: 1, maxLength: 2 }),
    fc.option(catalogue, { freq: 5 }),
    moment,
  );
  fc.assert(
    fc.property(
      statements,
      statements,
      fc.array(step, { minLength: 1, maxLength: 6 }),
      caller,
      request,
      (first, second, steps, by, asked) => {
        const cache = new StatementCache();
        const files = [first, second.filter((text) => /^(deny|only|allow|limit|budget)/.test(text))];
        let known: RuleCatalogue = CATALOGUE;
        return states(
          files,
          steps.map(([edits]) => edits),
        ).every((snapshot, i) => {
          const [, changed, nowMs] = steps[i - 1] ?? [[], null, NOW_MS];
          known = changed ?? known;
          const warm = build(snapshot, known, cache, nowMs);
          const cold = build(snapshot, known, new StatementCache(), nowMs);
          seen.builds += 1;
          seen.findings += cold.diagnostics.length;
          if (!isDeepStrictEqual(visible(warm), visible(cold))) return false;
          if (warm.set === null || cold.set === null) return true;
          seen.sets += 1;
          const call = callOf(asked, [...CATALOGUE.models()]);
          const [one, other] = [warm.set, cold.set].map((set) =>
            createDecide(compileSet(set), 1)(call, by, () => nowMs),
          );
          return isDeepStrictEqual(one, other);
        });
      },
    ),
    { numRuns: 500 },
  );
  t.ok(seen.sets > 400 && seen.findings > seen.builds, JSON.stringify(seen));
});

t.test("so it does where rules depend on each other", async (t) => {
  const codes = new Map<string, number>();
  const files = fc.array(closeLine, { maxLength: 12 });
  fc.assert(
    fc.property(
      files,
      files,
      fc.array(fc.array(editOf(closeLine), { minLength: 1, maxLength: 2 }), { minLength: 4, maxLength: 12 }),
      (first, second, edits) => {
        const cache = new StatementCache();
        const start = [["default allow", "let @list = [ml]", "let @late = team ml", ...first], second];
        return states(start, edits).every((snapshot) => {
          const warm = build(snapshot, CATALOGUE, cache, NOW_MS);
          const cold = build(snapshot, CATALOGUE, new StatementCache(), NOW_MS);
          for (const { code } of cold.diagnostics) codes.set(code, (codes.get(code) ?? 0) + 1);
          return isDeepStrictEqual(visible(warm), visible(cold));
        });
      },
    ),
    { numRuns: 1_500 },
  );
  for (const code of ["W303", "W304", "W308", "W309", "W310", "W311", "W312"]) t.ok((codes.get(code) ?? 0) > 10, code);
});

t.test("suggestions are shared out among the findings as in a first load", async (t) => {
  const cache = new StatementCache();
  const rules = Array.from({ length: 120 }, (_, i) => `deny team mll when n > ${i}`);
  for (const removed of [0, 3, 50]) {
    const named = ["deny when @misspelt", "let @misspelt = team serach"];
    const snapshot = snapshotOfLines([["default allow", ...rules.slice(removed), ...named]]);
    const cold = build(snapshot, CATALOGUE, new StatementCache(), NOW_MS);
    t.same(visible(build(snapshot, CATALOGUE, cache, NOW_MS)), visible(cold));
    t.equal(cold.diagnostics.filter(({ help }) => help === "did you mean `ml`?").length, Math.min(100, 120 - removed));
    t.equal(cold.diagnostics.filter(({ help }) => help === "did you mean `search`?").length, removed === 50 ? 1 : 0);
  }
});

t.test("an `only` in place of another is compared with the rest", async (t) => {
  const cache = new StatementCache();
  const codesFor = (last: string): string[] => {
    const lines = ["default allow", "only model gpt-4 for team ml", last];
    return build(snapshotOfLines([lines]), CATALOGUE, cache, NOW_MS).diagnostics.map(({ code }) => code);
  };
  t.strictSame(codesFor("only model gpt-* for team ml"), ["W310"]);
  t.strictSame(codesFor("only model claude-* for team ml"), ["W311", "W311"]);
  t.strictSame(codesFor("only model gpt-* for team ml"), ["W310"]);
});

t.test("of rules that change places, the one that now stands first is the one that stays", async (t) => {
  const cache = new StatementCache();
  const whereIdle = (lines: readonly string[]): (number | undefined)[] =>
    build(snapshotOfLines([["default allow", ...lines]]), CATALOGUE, cache, NOW_MS).diagnostics.map(
      ({ source, span }) => source?.text.slice(0, span.start).split("\n").length,
    );
  const [a, b, c] = ["deny team ml when n > 1 and n < 9", "deny team ml when n < 9 and n > 1", "deny team batch"];
  t.strictSame(whereIdle([a, b, c]), [3]);
  t.strictSame(whereIdle([b, c, a]), [4]);
  t.strictSame(whereIdle([c, a, b]), [4]);
});

t.test("two files of one name are two files", async (t) => {
  const cache = new StatementCache();
  const twice = snapshotOf([source("default allow\ndeny team ml\n"), source("\n\ndeny team ml\n")]);
  for (let load = 0; load < 3; load += 1) {
    const cold = build(twice, CATALOGUE, new StatementCache(), NOW_MS);
    t.same(visible(build(twice, CATALOGUE, cache, NOW_MS)), visible(cold));
  }
});

t.test("what did not change is the same object", async (t) => {
  const cache = new StatementCache();
  const lines = ["default allow", "deny team ml", "deny team search when hour in 9..17"];
  const load = (...files: string[][]): readonly CheckedRule[] =>
    build(snapshotOfLines(files), CATALOGUE, cache, NOW_MS).set?.rules ?? [];
  const [a, b] = load(lines);
  const [c, d, e] = load(["default allow", "# moved", "deny team batch", ...lines.slice(1)]);
  t.equal(d?.memo, a?.memo);
  t.equal(e?.fires, b?.fires);
  t.not(c?.memo, a?.memo);
  t.strictSame([a?.id, d?.id], ["rules/0.rules:2", "rules/0.rules:4"]);
  const again = load(["default allow", "# moved", "deny team batch", ...lines.slice(1)], ["deny team contractors"]);
  t.strictSame(
    again.slice(0, 3).map((rule, i) => rule === [c, d, e][i]),
    [true, true, true],
  );
});

t.test("a text that is split again gives the statements that it has", async (t) => {
  const text = fc.array(fc.oneof(oddLine, fc.constantFrom("  as x", "]", "(a", '"', "deny a\r", "\\")), {
    maxLength: 12,
  });
  let reused = 0;
  fc.assert(
    fc.property(text, text, text, fc.array(text, { maxLength: 3 }), (start, end, first, more) => {
      const textOf = (middle: readonly string[]): string => [...start, ...middle, ...end].join("\n");
      let last = splitText(textOf(first));
      return more.every((middle) => {
        const again = splitAgain(last, textOf(middle));
        const before = last.pieces;
        last = again;
        reused += again.tail;
        const texts = (pieces: typeof before): string[] => pieces.map((piece) => piece.text);
        return (
          isDeepStrictEqual(again.pieces, splitText(textOf(middle)).pieces) &&
          isDeepStrictEqual(texts(again.pieces.slice(0, again.head)), texts(before.slice(0, again.head))) &&
          isDeepStrictEqual(
            texts(again.pieces.slice(again.pieces.length - again.tail)),
            texts(before.slice(before.length - again.tail)),
          )
        );
      });
    }),
    { numRuns: 2_000 },
  );
  t.ok(reused > 100, `${reused} pieces are found at the end`);
});
