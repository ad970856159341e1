// `tollgate rules`: the access diff misses nothing, and what the subcommands print.

import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { createRulesCommand } from "../../src/cli/rules.ts";
import { accessDiff } from "../../src/rules/access-diff.ts";
import { compileSet } from "../../src/rules/compile.ts";
import { createDecide } from "../../src/rules/decide.ts";
import { type Ran, runIn } from "../support/cli.ts";
import { caller, callOf, LETS, request, statements, targetList } from "./arbitrary.ts";
import { CATALOGUE, checkedSet, GPT4, MINI, NOW_MS, OPUS, principal } from "./samples.ts";

const TARGETS = [GPT4, MINI, OPUS];

function diff(before: string, after: string): ReturnType<typeof accessDiff> {
  return accessDiff(checkedSet(`default allow\n${before}\n`), checkedSet(`default allow\n${after}\n`), TARGETS, NOW_MS);
}

t.test("who gains and who loses, in the widest classes that are true", async (t) => {
  t.same(diff("deny team ml", "deny when team in [ml]"), { changes: [], exact: true });
  t.same(diff("", "deny model gpt-4").changes, [{ who: [], gains: [], loses: [{ model: "gpt-4", example: null }] }]);
  t.same(diff("deny model gpt-4 for team ml", "deny model gpt-4 for team ml unless role admin").changes, [
    { who: ["team ml", "role admin"], gains: [{ model: "gpt-4", example: null }], loses: [] },
  ]);
  t.same(diff("deny when max_tokens > 8k", "deny when max_tokens > 9k").changes, [
    {
      who: [],
      gains: ["claude-opus-4", "gpt-4", "gpt-4o-mini"].map((model) => ({ model, example: ["max_tokens 8001"] })),
      loses: [],
    },
  ]);
  t.same(diff("deny team ml when price > 70", "deny team [ml, search] when price > 70").changes, [
    { who: ["team search"], gains: [], loses: [{ model: "claude-opus-4", example: null }] },
  ]);
  t.same(diff("shadow deny team ml", "warn team ml").changes, [], "what decides nothing changes nothing");
});

t.test("where the diff is exact and empty, no request is decided otherwise", async (t) => {
  let [empty, changed] = [0, 0];
  /** Without one of its rules that decide, where it has one. */
  const without = (rules: readonly string[], at: number): string[] => {
    const deciding = rules.slice(LETS.length + 1).filter((rule) => !/^(off )?(limit|budget|shadow)/.test(rule));
    const gone = deciding[at % Math.max(1, deciding.length)];
    return rules.filter((rule) => rule !== gone);
  };
  const pairs = statements.chain((rules) =>
    fc.tuple(
      fc.constant(rules),
      fc.oneof(
        { weight: 1, arbitrary: fc.shuffledSubarray(rules, { minLength: rules.length }) },
        { weight: 3, arbitrary: fc.nat(99).map((at) => without(rules, at)) },
      ),
    ),
  );
  fc.assert(
    fc.property(
      pairs,
      targetList,
      fc.array(fc.tuple(caller, request), { minLength: 20, maxLength: 20 }),
      ([a, b], targets, asked) => {
        const [before, after] = [a, b].map((rules) => checkedSet(`${rules.join("\n")}\n`));
        if (before === undefined || after === undefined) return false;
        // An alias and an id are taken for two subjects: who has both is not tried.
        fc.pre(!a.slice(LETS.length + 1).some((rule) => rule.includes("id_")));
        const found = accessDiff(before, after, targets, NOW_MS);
        const [old, next] = [before, after].map((set) => createDecide(compileSet(set), 1));
        const differs = asked.some(([by, more]) =>
          targets.some((target) => {
            const call = callOf(more, [target]);
            return old?.(call, by, () => NOW_MS).effect !== next?.(call, by, () => NOW_MS).effect;
          }),
        );
        if (found.changes.length > 0) changed += 1;
        else empty += 1;
        return !(differs && found.exact && found.changes.length === 0);
      },
    ),
    { numRuns: 50 },
  );
  t.ok(empty > 10 && changed > 0, `${empty} empty, ${changed} changed`);
});

const TEAMS = ["ml", "search"];
const ROLES = ["admin", "dev"];
const smallSelector = fc.constantFrom(
  ...["team ml", "team not ml", "team [ml, search]", "role admin", "role not dev", "role [admin, dev]"],
);
const smallCondition = fc.constantFrom(
  ...[
    "stream",
    "not stream",
    "max_tokens > 100",
    "max_tokens <= 100 and stream",
    "price > 10",
    "team search or stream",
  ],
);
const smallRule = fc
  .tuple(
    fc.constantFrom("deny", "deny model gpt-4", "allow model gpt-4o-mini", "allow", "only model [gpt-4, gpt-4o-mini]"),
    fc.option(smallSelector),
    fc.option(smallCondition),
    fc.option(smallSelector, { freq: 1 }),
  )
  .map(
    ([effect, who, when, unless]) =>
      `${effect}${who === null ? "" : ` for ${who}`}${when === null ? "" : ` when ${when}`}${unless === null ? "" : ` unless ${unless}`}`,
  );
const smallSet = fc
  .tuple(
    fc.constantFrom("default allow", "default deny", "default allow\ndefault deny for team ml"),
    fc.array(smallRule, { maxLength: 4 }),
  )
  .map(([line, rules]) => [line, ...rules].join("\n"));

/** Everybody and every request of a world in which the small rules tell nothing else apart. */
const PEOPLE = [undefined, ...TEAMS, "zz"].flatMap((team) =>
  [[], ["admin"], ["dev"], ["admin", "dev"], ["x"]].map((roles) => ({ team, roles })),
);
const REQUESTS = [false, true].flatMap((stream) => [99, 100, 101].map((maxTokens) => ({ stream, maxTokens })));
type Person = (typeof PEOPLE)[number];
type Asked = (typeof REQUESTS)[number];

/** Whether a row's `who` is about somebody, where the rules name these teams and roles. */
function isAbout(who: readonly string[], { team, roles }: Person, rules: string): boolean {
  const named = (names: readonly string[]): string[] => names.filter((name) => new RegExp(`\\b${name}\\b`).test(rules));
  const own = roles.filter((role) => named(ROLES).includes(role));
  return who.every((label) => {
    if (label === "no team") return team === undefined;
    if (label === "another team") return team !== undefined && !named(TEAMS).includes(team);
    if (label.startsWith("team ")) return label === `team ${team}`;
    return label === (own.length === 0 ? "no role" : own.map((role) => `role ${role}`).join(", "));
  });
}

/** Whether a request is one that an example describes. */
function isLike(example: readonly string[], { stream, maxTokens }: Asked): boolean {
  return example.every((label) => [`stream ${stream}`, `max_tokens ${maxTokens}`].includes(label));
}

t.test("gains and losses are exactly those that trying everybody with everything finds", async (t) => {
  const seen = { all: 0, some: 0, none: 0 };
  fc.assert(
    fc.property(smallSet, smallSet, (before, after) => {
      const sets = [before, after].map((rules) => checkedSet(`${rules}\n`));
      const { changes, exact } = accessDiff(sets[0] as (typeof sets)[0], sets[1] as (typeof sets)[0], TARGETS, NOW_MS);
      if (!exact) return false;
      const [was, is] = sets.map((set) => createDecide(compileSet(set), 1));
      for (const person of PEOPLE) {
        const { team, roles } = person;
        const by = principal({ roles, ...(team === undefined ? {} : { team }) });
        const rows = changes.filter(({ who }) => isAbout(who, person, `${before} ${after}`));
        if (rows.length > 1) return false;
        for (const target of TARGETS) {
          const allows = (decide: typeof was, asked: Asked): boolean =>
            decide?.(callOf(asked, [target]), by, () => NOW_MS).effect === "allow";
          for (const [told, from, to] of [[rows[0]?.gains, was, is] as const, [rows[0]?.loses, is, was] as const]) {
            const turned = REQUESTS.filter((asked) => !allows(from, asked) && allows(to, asked));
            const change = told?.find(({ model }) => model === target.model);
            const expected = turned.length === REQUESTS.length ? "all" : turned.length > 0 ? "some" : "none";
            seen[expected] += 1;
            if (expected !== (change === undefined ? "none" : change.example === null ? "all" : "some")) return false;
            if (
              change?.example &&
              !REQUESTS.filter((asked) => isLike(change.example ?? [], asked)).every((asked) => turned.includes(asked))
            )
              return false;
          }
        }
      }
      return true;
    }),
    { numRuns: 150 },
  );
  t.ok(Math.min(seen.all, seen.some, seen.none) > 100, JSON.stringify(seen));
});

async function run(cwd: string, argv: readonly string[]): Promise<Ran> {
  const command = createRulesCommand(() => ({ directory: join(cwd, "rules"), catalogue: CATALOGUE }));
  return runIn(cwd, command.run, argv);
}

t.test("rules list, expand and diff", async (t) => {
  const cwd = t.testdir({
    rules: { "a.rules": "default allow\nfor team ml {\n  deny model gpt-4 as no owner ops until 2030-01-31\n}\n" },
    next: { "a.rules": "default allow\n" },
    bad: { "a.rules": "dney\n" },
  });
  t.same(await run(cwd, ["list"]), {
    code: 0,
    stdout:
      "WHERE            ID  OWNER  RULE\nrules/a.rules:3  no  ops    deny model gpt-4 as no owner ops until 2030-01-31  [for team ml]\n",
    stderr: "1 rule; no database, so no hits\n",
  });
  t.match(JSON.parse((await run(cwd, ["list", "--json"])).stdout), {
    rules: [{ id: "no", until: "2030-01-31", mode: "live" }],
  });
  t.same(await run(cwd, ["expand", "gpt-4*"]), {
    code: 0,
    stdout: "MODEL        PROVIDER   PRICE\ngpt-4        openai     $60/M\ngpt-4o-mini  openai    $0.6/M\n",
    stderr: "2 models\n",
  });
  t.match(JSON.parse((await run(cwd, ["expand", "claude*", "--json"])).stdout), {
    models: [{ model: "claude-opus-4" }],
  });
  t.same(await run(cwd, ["diff", "rules", "next"]), { code: 2, stdout: "team ml\n  + gpt-4\n", stderr: "1 change\n" });
  t.match(await run(cwd, ["diff", "rules", "rules"]), {
    code: 0,
    stdout: "",
    stderr: "nobody gains or loses anything\n",
  });
  await t.rejects(run(cwd, ["diff", "rules", "bad"]), { exitCode: 2, message: /E102/ });
  await t.rejects(run(cwd, ["diff", "rules"]), /NEW is missing/);
});

t.test("rules list knows limits, and diff leaves them out and says so", async (t) => {
  const limits = t.testdir({
    rules: { "a.rules": "default allow\nlimit 9 requests per 1m by key as nine\n" },
    next: { "a.rules": "default allow\nlimit 1 requests per 1m by key as nine\n" },
  });
  t.same(await run(limits, ["diff", "rules", "next"]), {
    code: 0,
    stdout: "",
    stderr: "nobody gains or loses anything; limits and budgets are not compared\n",
  });
  t.match(JSON.parse((await run(limits, ["list", "--json"])).stdout), {
    rules: [{ id: "nine", effect: "limit", text: "limit 9 requests per 1m by key as nine" }],
  });
});
