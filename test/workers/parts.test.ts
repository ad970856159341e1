// The parts of `--workers`: waits before a restart, whole lines out of pieces, metrics of several processes.
import { PassThrough } from "node:stream";
import fc from "fast-check";
import t from "tap";
import type { Metric } from "../../src/plugin.ts";
import { Backoff } from "../../src/workers/backoff.ts";
import { labelled } from "../../src/workers/labelled.ts";
import { onWholeLines } from "../../src/workers/whole-lines.ts";

t.test("a worker that keeps ending is waited for longer and longer, one that has served is not", async (t) => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 10 }, () => backoff.next(0));
  t.same(waits, [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  t.equal(backoff.next(1_999), 10_000, "it has not served long enough");
  t.equal(backoff.next(2_000), 0);
  t.equal(backoff.next(10), 100);
});

t.test(
  "whole lines come out in order, however the pieces are cut; a last line without its end is left out",
  async (t) => {
    const line = fc.string({ unit: fc.constantFrom("a", "é", "{", " "), maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(line), line, fc.array(fc.nat(20)), async (lines, rest, cuts) => {
        const bytes = Buffer.from(`${lines.map((one) => `${one}\n`).join("")}${rest}`);
        const stream = new PassThrough();
        const handed: Buffer[] = [];
        onWholeLines(stream, (whole) => handed.push(Buffer.from(whole)));
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          if (at < bytes.length) stream.write(bytes.subarray(at, at + cut + 1));
          at += cut + 1;
        }
        stream.end();
        await new Promise((resolve) => stream.once("end", resolve));
        return (
          handed.every((whole) => whole.at(-1) === 10) &&
          Buffer.concat(handed).toString() === lines.map((one) => `${one}\n`).join("")
        );
      }),
    );
    t.pass();
  },
);

t.test("metrics of several processes are one a name, and each number says whose it is", async (t) => {
  const counter = (name: string, value: number, labels?: Record<string, string>): Metric => ({
    name,
    help: name,
    type: "counter",
    samples: [labels === undefined ? { value } : { labels, value }],
  });
  const merged = labelled([
    { worker: "0", metrics: [counter("a", 1)] },
    { worker: "1", metrics: [counter("b", 2, { model: "m" }), counter("a", 3)] },
    { worker: "2", metrics: [] },
  ]);
  t.same(merged, [
    {
      ...counter("a", 1),
      samples: [
        { labels: { worker: "0" }, value: 1 },
        { labels: { worker: "1" }, value: 3 },
      ],
    },
    { ...counter("b", 2), samples: [{ labels: { model: "m", worker: "1" }, value: 2 }] },
  ]);
});
