// `node bench/rules/kept.ts`: what rules that are kept on a key cost, when the key is first seen and from then on.
import { compileSet } from "../../src/rules/compile.ts";
import { createDecide } from "../../src/rules/decide.ts";
import type { Principal } from "../../src/types.ts";
import { call, checkedSet, principal } from "../../test/rules/samples.ts";
import { type Quartiles, quartiles } from "../statistics.ts";
import { MODELS, TARGETS } from "./sets.ts";

const RULES = 20;
const KEYS = 2_000;
/** Keys that are seen before time is taken, so that the code is compiled. */
const WARM = 1_000;
const ROUNDS = 7;
const REPEATS = 500_000;
const NOW_MS = Date.parse("2026-11-21T12:00:00Z");
const target = TARGETS[0];
if (target === undefined) throw new Error("the catalogue has a model");
const request = call({ targets: [target] });

const cases: readonly [string, (i: number) => Principal][] = [
  ["nothing kept", (i) => principal({ key: `k${i}` })],
  [`${RULES} rules, the same text as other keys`, (i) => principal({ key: `k${i}`, rules: { key: keptText(0) } })],
  [`${RULES} rules, a text of its own`, (i) => principal({ key: `k${i}`, rules: { key: keptText(i + 1) } })],
];
const set = compileSet(checkedSet("default allow\n"));
// Later decisions first: the heap is small then, as it is for the others.
const later = cases.map(([, make]) => laterNs(make(0)));
for (const [i, [name, make]] of cases.entries()) {
  const { low, median, high } = firstUs(make);
  const first = `first sight ${median.toFixed(1)} us (${low.toFixed(1)} to ${high.toFixed(1)})`;
  process.stdout.write(`${name.padEnd(40)} ${first}, then ${later[i]?.toFixed(0)} ns\n`);
}

/** Nanoseconds of a decision for a key that was seen before. */
function laterNs(by: Principal): number {
  const decide = createDecide(set, 1);
  const rounds = Array.from({ length: ROUNDS }, () =>
    timedUs(() => {
      for (let i = 0; i < REPEATS; i += 1) decide(request, by, () => NOW_MS);
    }),
  );
  return (quartiles(rounds).median * 1e3) / REPEATS;
}

/** Microseconds of a key's first decision. */
function firstUs(make: (i: number) => Principal): Quartiles {
  const decide = createDecide(set, 1);
  const times = Array.from({ length: WARM + KEYS }, (_, i) => {
    const by = make(i);
    return timedUs(() => decide(request, by, () => NOW_MS));
  });
  return quartiles(times.slice(WARM));
}

/** Rules as one key may keep them: on models, prices, caps and roles, none of which look at this request. */
function keptText(seed: number): string {
  const lines = Array.from({ length: RULES }, (_, i) => {
    const model = MODELS[1 + ((i + seed) % (MODELS.length - 1))] ?? "";
    if (i % 4 === 0) return `deny model ${model} when price > ${10 + seed} and max_tokens > ${i + 1}k`;
    if (i % 4 === 1) return `only model [${model}, gpt-*] for role r${seed} when hour in 22:00..06:00`;
    if (i % 4 === 2) return `deny model ${model}* unless tag t${seed} because "ask us ${i}"`;
    return `warn model ${model} when request.bytes > ${i + 1}kb as w${seed}-${i}`;
  });
  return `${lines.join("\n")}\n`;
}

function timedUs(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1e3;
}
