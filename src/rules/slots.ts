// Finds the statements of a text again in the text that follows it, in their order.

/**
 * For each text after, the index of the same text before, or -1. What is found keeps its order: of statements that
 * changed places, those that leave the most others where they were count as new.
 */
export function matchInOrder(before: readonly string[], after: readonly string[]): number[] {
  const places = new Map<string, number[]>();
  for (let i = before.length - 1; i >= 0; i -= 1) {
    const text = before[i] ?? "";
    const known = places.get(text);
    if (known === undefined) places.set(text, [i]);
    else known.push(i);
  }
  const found = after.map((text) => places.get(text)?.pop() ?? -1);
  const kept = longestIncreasing(found);
  return found.map((index, i) => (kept.has(i) ? index : -1));
}

/** Positions of a longest increasing subsequence; numbers below 0 are left out. */
function longestIncreasing(numbers: readonly number[]): ReadonlySet<number> {
  /** At `i`: the position of the smallest number that ends a subsequence of `i + 1` numbers. */
  const ends: number[] = [];
  const previous: number[] = [];
  for (const [position, number] of numbers.entries()) {
    if (number < 0) continue;
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[ends[middle] ?? 0] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    previous[position] = low === 0 ? -1 : (ends[low - 1] ?? -1);
    ends[low] = position;
  }
  const kept = new Set<number>();
  for (let at = ends.at(-1) ?? -1; at !== -1; at = previous[at] ?? -1) kept.add(at);
  return kept;
}
