// A unified diff of two texts, by lines.

/** Unchanged lines around a change. */
const CONTEXT = 3;
/** Above so many pairs of lines the whole middle is shown as replaced. */
const PAIRS_MAX = 4_000_000;

interface Step {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

/** `--- name`, `+++ name` and hunks; empty when the texts are equal. */
export function lineDiff(name: string, before: string, after: string): string {
  if (before === after) return "";
  const steps = stepsOf(before.split("\n"), after.split("\n"));
  return `--- ${name}\n+++ ${name}\n${hunks(steps).join("")}`;
}

function stepsOf(a: readonly string[], b: readonly string[]): Step[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  const same = (lines: readonly string[]): Step[] => lines.map((text) => ({ sign: " ", text }));
  const middle = changesOf(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return [...same(a.slice(0, head)), ...middle, ...same(tail === 0 ? [] : a.slice(-tail))];
}

/** Longest common subsequence. */
function changesOf(a: readonly string[], b: readonly string[]): Step[] {
  const removed = (text: string): Step => ({ sign: "-", text });
  const added = (text: string): Step => ({ sign: "+", text });
  if (a.length * b.length > PAIRS_MAX) return [...a.map(removed), ...b.map(added)];
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const steps: Step[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [mine, theirs] = [a[i] ?? "", b[j] ?? ""];
    if (i < a.length && j < b.length && mine === theirs) {
      steps.push({ sign: " ", text: mine });
      [i, j] = [i + 1, j + 1];
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) {
      steps.push(removed(mine));
      i += 1;
    } else {
      steps.push(added(theirs));
      j += 1;
    }
  }
  return steps;
}

function hunks(steps: readonly Step[]): string[] {
  const found: string[] = [];
  let from = 0;
  for (;;) {
    const first = steps.findIndex(({ sign }, i) => i >= from && sign !== " ");
    if (first === -1) return found;
    let last = first;
    for (let i = first; i < steps.length && i <= last + 2 * CONTEXT; i += 1) if (steps[i]?.sign !== " ") last = i;
    const start = Math.max(from, first - CONTEXT);
    found.push(hunk(steps, start, Math.min(steps.length, last + CONTEXT + 1)));
    from = last + 1;
  }
}

function hunk(steps: readonly Step[], start: number, end: number): string {
  const lines = (part: readonly Step[], without: "+" | "-"): number =>
    part.filter(({ sign }) => sign !== without).length;
  const before = steps.slice(0, start);
  const inside = steps.slice(start, end);
  const range = (without: "+" | "-"): string => `${lines(before, without) + 1},${lines(inside, without)}`;
  return `@@ -${range("+")} +${range("-")} @@\n${inside.map(({ sign, text }) => `${sign}${text}\n`).join("")}`;
}
