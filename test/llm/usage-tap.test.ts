// The tap on recorded streams cut at every byte, and on streams that are hostile.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { EVENT_BYTES_MAX } from "../../src/llm/sse.ts";
import { estimateUsage } from "../../src/llm/usage.ts";
import { createTap, meterJson, type TapOptions, type UsageTap } from "../../src/llm/usage-tap.ts";
import type { Usage, Wire } from "../../src/types.ts";

const REQUEST_BYTES = 400;

/** Usage as [input, output, cached, cache-writing] of a recording, and whether it is estimated. */
type Figures = readonly [number, number, number, number, boolean?];
const RECORDINGS: Readonly<Record<string, Figures>> = {
  "openai-text": [2006, 9, 1920, 0],
  "openai-tools": [82, 17, 0, 0],
  "openai-refusal": [81, 11, 0, 0],
  "openai-no-usage": [100, 4, 0, 0, true],
  "openai-quotes": [20, 40, 0, 0],
  "openai-error": [100, 3, 0, 0, true],
  "anthropic-text": [2012, 15, 1700, 300],
  "anthropic-tools": [472, 89, 0, 0],
  "anthropic-quotes": [472, 30, 0, 0],
  "anthropic-error": [472, 10, 0, 0, true],
};

function usageOf([inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, estimated = false]: Figures): Usage {
  return { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, estimated };
}

const LINE_ENDS = ["\n", "\r\n", "\r"];
const USAGE_ONLY = /^data: [^\n\r]*"choices":\[\],"usage"[^\n\r]*(\r\n|\n|\r)\1/m;
const TERMINAL = /^data: \[DONE\]|^event: message_stop$/m;

const wireOf = (name: string): Wire => (name.startsWith("openai") ? "openai" : "anthropic");

function record(name: string, lineEnd = "\n"): Buffer {
  const text = readFileSync(new URL(`recordings/${name}.sse`, import.meta.url), "utf8");
  return Buffer.from(text.replaceAll("\n", lineEnd));
}

interface Run {
  readonly early: string;
  readonly rest: string;
  readonly usage: Usage;
}

const open = (wire: Wire, options: Partial<TapOptions> = {}): UsageTap =>
  createTap({ wire, hideUsage: false, requestBytes: REQUEST_BYTES, ...options });

function passed(bytes: readonly Buffer[] | Buffer | null): Buffer {
  if (bytes === null) return Buffer.alloc(0);
  return Buffer.isBuffer(bytes) ? bytes : Buffer.concat(bytes as readonly Buffer[]);
}

function run(tap: UsageTap, chunks: readonly Buffer[]): Run {
  const early = Buffer.concat(chunks.map((chunk) => passed(tap.push(chunk))));
  const { rest, usage } = tap.finish();
  return { early: early.toString("latin1"), rest: rest?.toString("latin1") ?? "", usage };
}

/** Cuts at each of the offsets, which need not be in order. */
function cut(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const points = [0, ...offsets.map((offset) => offset % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return points.slice(1).map((end, index) => bytes.subarray(points[index], end));
}

const same = (a: Run, b: Run): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A plain account of what the tap does with a recording, by regular expressions. */
function expected(name: string, bytes: Buffer, hideUsage: boolean): Run {
  const whole = bytes.toString("latin1");
  const text = hideUsage ? whole.replace(USAGE_ONLY, "") : whole;
  const end = text.search(TERMINAL);
  const at = end === -1 ? text.length : end;
  return { early: text.slice(0, at), rest: text.slice(at), usage: usageOf(RECORDINGS[name] as Figures) };
}

for (const name of Object.keys(RECORDINGS)) {
  t.test(`${name}: the same bytes and usage wherever it is cut`, (t) => {
    for (const lineEnd of LINE_ENDS) {
      for (const hideUsage of [false, true]) {
        const bytes = record(name, lineEnd);
        const wanted = expected(name, bytes, hideUsage);
        const tap = (): UsageTap => open(wireOf(name), { hideUsage });
        const label = `${JSON.stringify(lineEnd)}, hideUsage ${hideUsage}`;
        t.same(run(tap(), [bytes]), wanted, `${label}: whole`);
        t.same(run(tap(), cut(bytes, [...bytes.keys()])), wanted, `${label}: byte by byte`);
        const different = [...bytes.keys()].filter((at) => !same(run(tap(), cut(bytes, [at])), wanted));
        t.same(different, [], `${label}: in two at every byte`);
      }
    }
    t.end();
  });
}

t.test("recordings cut at random give what they give whole", (t) => {
  const samples = Object.keys(RECORDINGS).flatMap((name) =>
    LINE_ENDS.map((end) => ({ name, bytes: record(name, end) })),
  );
  const property = fc.property(fc.constantFrom(...samples), fc.array(fc.nat()), ({ name, bytes }, offsets) => {
    const tap = open(wireOf(name), { hideUsage: true });
    return same(run(tap, cut(bytes, offsets)), expected(name, bytes, true));
  });
  fc.assert(property, { numRuns: 1_000 });
  t.end();
});

/** Bits of streams, put together without regard for sense. */
const SCRAPS = [
  ...[
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\r\n\r\n",
    "\uFEFF",
    ": note",
    "data:",
    "data: ",
    "data: [DONE]",
    "event: message_stop",
  ],
  ...['{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}', '{"type":"message_stop"}', "é", '"', "\\"],
  ...['{"type":"message_delta","usage":{"output_tokens":3}}', 'delta":{"content":"abc"}', 'delta":{}', '"text":"x'],
];

t.test("nonsense gives the same wherever it is cut, and loses no byte", (t) => {
  const wires = fc.constantFrom<Wire>("openai", "anthropic");
  const scraps = fc.array(fc.constantFrom(...SCRAPS), { maxLength: 20 });
  const property = fc.property(wires, fc.boolean(), scraps, fc.array(fc.nat()), (wire, hideUsage, parts, offsets) => {
    const bytes = Buffer.from(parts.join(""));
    const whole = run(open(wire, { hideUsage }), [bytes]);
    const kept = hideUsage || whole.early + whole.rest === bytes.toString("latin1");
    return kept && same(run(open(wire, { hideUsage }), cut(bytes, offsets)), whole);
  });
  fc.assert(property, { numRuns: 20_000 });
  t.end();
});

const delta = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
const usageChunk = (usage: unknown): string => `data: ${JSON.stringify({ choices: [], usage })}\n\n`;
const DONE = "data: [DONE]\n\n";

function runText(wire: Wire, ...chunks: readonly string[]): Run {
  return run(
    open(wire),
    chunks.map((chunk) => Buffer.from(chunk)),
  );
}

t.test("a chunk of plain events is passed on as the very same buffer", (t) => {
  const openai = open("openai", { hideUsage: true });
  const plain = Buffer.from(delta("a") + delta("the usage of words"));
  t.equal(openai.push(plain), plain);
  const nullUsage = Buffer.from('data: {"choices":[],"usage":null}\r\n\r\n');
  t.equal(openai.push(nullUsage), nullUsage);
  const ping = Buffer.from('event: ping\ndata: {"type": "ping"}\n\n');
  t.equal(open("anthropic").push(ping), ping);
  t.end();
});

t.test("nothing of a terminal event passes before finish", (t) => {
  for (const [wire, text] of [
    ["openai", "data:[DONE]\n\n"],
    ["openai", ": end\ndata: [DONE]\n\n"],
    ["openai", "\uFEFFdata: [DONE]\n\n"],
    ["openai", "data: [DONE]"],
    ["anthropic", 'data: {"type": "message_stop"}\n\n'],
    ["anthropic", "event: message_stop\n\n"],
    ["anthropic", 'data: {"type":\ndata: "message_stop"}\n\n'],
  ] as const) {
    const { early, rest } = runText(wire, ...text);
    t.equal(early, "", text);
    t.equal(rest, Buffer.from(text).toString("latin1"));
  }
  t.end();
});

t.test("terminal tells that the terminal event has been seen, and what follows is held back too", (t) => {
  const tap = open("openai");
  tap.push(Buffer.from(delta("a")));
  t.equal(tap.terminal, false);
  t.equal(tap.push(Buffer.from(DONE)), null);
  t.equal(tap.terminal, true);
  t.equal(tap.push(Buffer.from(delta("b"))), null);
  t.equal(tap.finish().rest?.toString(), DONE + delta("b"));
  t.end();
});

t.test("what is held back has a limit", (t) => {
  const tap = open("openai");
  tap.push(Buffer.from(DONE));
  const filler = Buffer.from(`: ${"x".repeat(1_000)}\n\n`);
  for (let count = 0; count < 2_000; count++) tap.push(filler);
  t.equal(tap.finish().rest?.length, EVENT_BYTES_MAX);
  t.end();
});

t.test("a usage after the terminal event counts, and is hidden all the same", (t) => {
  const text = delta("a") + DONE + usageChunk({ prompt_tokens: 7, completion_tokens: 1 });
  const { rest, usage } = run(open("openai", { hideUsage: true }), [Buffer.from(text)]);
  t.equal(rest, DONE);
  t.same(usage, usageOf([7, 1, 0, 0]));
  t.end();
});

t.test("hideUsage leaves a usage that comes with choices, and one cut off at the end goes", (t) => {
  const event = 'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":7,"completion_tokens":1}}\n\n';
  t.equal(run(open("openai", { hideUsage: true }), [Buffer.from(event)]).early, event);
  const tail = usageChunk({ prompt_tokens: 7, completion_tokens: 1 }).trimEnd();
  const cutOff = run(open("openai", { hideUsage: true }), [Buffer.from(tail)]);
  t.same(cutOff, { early: "", rest: "", usage: usageOf([7, 1, 0, 0]) });
  t.end();
});

t.test("a usage chunk that is hidden goes with the whole of its line ends", (t) => {
  const hidden = usageChunk({ prompt_tokens: 7, completion_tokens: 1 }).replaceAll("\n", "\r\n");
  const plain = delta("a");
  const tap = open("openai", { hideUsage: true });
  t.equal(tap.push(Buffer.from(hidden.slice(0, -1))), null);
  t.equal(passed(tap.push(Buffer.from(`\n${plain}`))).toString(), plain);
  t.end();
});

t.test("the last cumulative figures count", (t) => {
  const first = usageChunk({ prompt_tokens: 7, completion_tokens: 1 });
  const second = usageChunk({ prompt_tokens: 7, completion_tokens: 2 });
  t.same(runText("openai", first, delta("ab"), second, DONE).usage, usageOf([7, 2, 0, 0]));
  t.end();
});

t.test("figures that are nonsense are estimated instead", (t) => {
  for (const nonsense of [-1, 1.5, "12", null, true, [3], {}, 2 ** 41, 1e300]) {
    const usage = {
      prompt_tokens: nonsense,
      completion_tokens: nonsense,
      prompt_tokens_details: { cached_tokens: nonsense },
    };
    const metered = runText("openai", delta("12345678"), usageChunk(usage), DONE).usage;
    t.same(metered, usageOf([100, 2, 0, 0, true]), JSON.stringify(nonsense));
    const anthropic = { input_tokens: nonsense, output_tokens: nonsense, cache_read_input_tokens: nonsense };
    const body = Buffer.from(JSON.stringify({ content: [{ type: "text", text: "12345678" }], usage: anthropic }));
    t.same(meterJson(body, "anthropic", REQUEST_BYTES), usageOf([100, 2, 0, 0, true]));
  }
  t.end();
});

t.test("nonsense does not undo figures that were believed, and zero is not believed", (t) => {
  const good = usageChunk({ prompt_tokens: 7, completion_tokens: 3 });
  t.same(
    runText("openai", good, usageChunk({ prompt_tokens: -7, completion_tokens: "0" })).usage,
    usageOf([7, 3, 0, 0]),
  );
  const zero = usageChunk({ prompt_tokens: 0, completion_tokens: 0 });
  t.same(runText("openai", delta("12345678"), zero, DONE).usage, usageOf([100, 2, 0, 0, true]));
  const empty = usageChunk({ prompt_tokens: 7, completion_tokens: 0 });
  t.same(runText("openai", delta(""), empty, DONE).usage, usageOf([7, 0, 0, 0]), "an empty answer");
  t.end();
});

t.test("parts are never more than the whole", (t) => {
  const usage = { prompt_tokens: 7, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 9 } };
  t.same(runText("openai", usageChunk(usage), DONE).usage, usageOf([7, 1, 7, 0]));
  const anthropic = {
    usage: { input_tokens: "1", output_tokens: 1, cache_read_input_tokens: 90, cache_creation_input_tokens: 90 },
  };
  t.same(meterJson(Buffer.from(JSON.stringify(anthropic)), "anthropic", 400), usageOf([100, 1, 90, 10, true]));
  t.end();
});

t.test("an aborted stream has used what was said so far, and at least what was written", (t) => {
  const events = record("anthropic-text")
    .toString()
    .split(/(?<=\n\n)/);
  const tap = open("anthropic");
  t.same(tap.usage(), usageOf([100, 0, 0, 0, true]), "nothing came");
  tap.push(Buffer.from(events[0] as string));
  t.same(tap.usage(), usageOf([2012, 2, 1700, 300, true]), "message_start alone");
  for (const event of events.slice(1, 6)) tap.push(Buffer.from(event));
  t.same(tap.usage(), usageOf([2012, 6, 1700, 300, true]), "24 bytes of text came");
  t.end();
});

t.test("text is counted to its end, past quotation marks and backslashes", (t) => {
  const text = 'say "yes" or \\ "no"';
  const jsonBytes = JSON.stringify(text).length - 2;
  t.equal(runText("openai", delta(text)).usage.outputTokens, Math.ceil(jsonBytes / 4));
  const body = Buffer.from(JSON.stringify({ choices: [{ message: { content: text } }] }));
  t.equal(meterJson(body, "openai", REQUEST_BYTES).outputTokens, Math.ceil(jsonBytes / 4));
  t.end();
});

t.test("a stream in an unknown shape is estimated from all its bytes", (t) => {
  const text = 'data: {"words":"something"}\n\n';
  t.equal(runText("openai", text).usage.outputTokens, Math.ceil(text.length / 4));
  t.same(runText("openai").usage, usageOf([100, 0, 0, 0, true]), "nothing came");
  t.equal(runText("openai", delta("")).usage.outputTokens, 1, "something came, if only an empty text");
  t.end();
});

t.test("an event above the limit passes unread, and the stream goes on after it", (t) => {
  const large = delta("x".repeat(EVENT_BYTES_MAX));
  const bytes = Buffer.from(large + usageChunk({ prompt_tokens: 7, completion_tokens: 5 }) + DONE);
  const whole = run(open("openai"), [bytes]);
  t.equal(whole.early.length, bytes.length - DONE.length);
  t.same(whole.usage, usageOf([7, 5, 0, 0]));
  t.ok(same(run(open("openai"), cut(bytes, [10, 500_000, large.length - 1, large.length + 9])), whole));
  const lost = runText(
    "openai",
    `data: ${" ".repeat(EVENT_BYTES_MAX)}${usageChunk({ prompt_tokens: 7 }).slice(6)}`,
    DONE,
  );
  t.equal(lost.usage.estimated, true);
  t.ok(lost.usage.outputTokens > EVENT_BYTES_MAX / 4);
  t.end();
});

t.test("an event above the limit gives the same at every cut of its end", (t) => {
  const text = `: ${"x".repeat(EVENT_BYTES_MAX - 4)}`;
  for (const blank of ["\n\n", "\r\n\r\n", "\r\r", "\r\n\n"]) {
    for (const length of [-3, -1, 0, 1, 2, 3, 4].map((more) => text.length + more)) {
      const bytes = Buffer.from(text.padEnd(length, "x").slice(0, length) + blank + DONE);
      const whole = run(open("openai"), [bytes]);
      const cuts = Array.from({ length: 7 }, (_, index) => length - 1 + index);
      const different = cuts.filter((at) => !same(run(open("openai"), cut(bytes, [at])), whole));
      t.same(different, [], `${JSON.stringify(blank)} after ${length} bytes`);
    }
  }
  t.end();
});

t.test("events byte by byte need little memory and time", (t) => {
  const tap = open("openai");
  const byte = Buffer.from("x");
  const startMs = performance.now();
  for (let count = 0; count < EVENT_BYTES_MAX; count++) tap.push(byte);
  t.ok(performance.now() - startMs < 5_000);
  t.equal(tap.finish().rest?.length, EVENT_BYTES_MAX);
  t.end();
});

t.test("an answer in one piece has the usage that it says", (t) => {
  const usage = {
    prompt_tokens: 19,
    completion_tokens: 10,
    total_tokens: 29,
    prompt_tokens_details: { cached_tokens: 4 },
  };
  const openai = { id: "chatcmpl-1", choices: [{ message: { content: "Hi" } }], usage, service_tier: "default" };
  t.same(meterJson(Buffer.from(JSON.stringify(openai)), "openai", 400), usageOf([19, 10, 4, 0]));
  t.same(meterJson(Buffer.from(JSON.stringify(openai, null, 2)), "openai", 400), usageOf([19, 10, 4, 0]));
  const embeddings = { data: [{ embedding: [0.5] }], usage: { prompt_tokens: 8, total_tokens: 8 } };
  t.same(meterJson(Buffer.from(JSON.stringify(embeddings)), "openai", 400), usageOf([8, 0, 0, 0]));
  t.end();
});

t.test("in a large answer only its own usage counts, wherever it stands", (t) => {
  const inner = { usage: { input_tokens: 1, output_tokens: 1 } };
  const usage = { input_tokens: 5_000, output_tokens: 9_000, cache_read_input_tokens: 70 };
  const text = `${'{"usage":{"input_tokens":2,"output_tokens":2}} '.repeat(200)}\\"usage":{}`;
  const content = [
    { type: "text", text },
    { type: "tool_use", input: inner },
  ];
  const orders = [
    { usage, content },
    { content, usage },
    { content, usage, extra: inner },
    { content, usage, extra: "usage" },
  ];
  for (const answer of orders) {
    const body = Buffer.from(JSON.stringify(answer));
    t.same(meterJson(body, "anthropic", 400), usageOf([5_070, 9_000, 70, 0]), Object.keys(answer).join());
  }
  const none = meterJson(Buffer.from(JSON.stringify({ content })), "anthropic", 400);
  t.equal(none.estimated, true, "none of its own");
  t.end();
});

t.test("random answers have the usage that a full parse finds", (t) => {
  const usages = fc.oneof(
    fc.record({
      prompt_tokens: fc.integer({ min: 1, max: 9_999 }),
      completion_tokens: fc.integer({ min: 1, max: 9_999 }),
    }),
    fc.constantFrom(null, "usage", 5, []),
  );
  const answers = fc.dictionary(
    fc.constantFrom("usage", "a", 'b"usage', "choices"),
    fc.oneof(
      usages,
      fc.jsonValue(),
      usages.map((usage) => ({ usage })),
    ),
  );
  const property = fc.property(answers, (answer) => {
    const body = Buffer.from(JSON.stringify({ pad: "x".repeat(5_000), ...answer }));
    const small = Buffer.from(JSON.stringify(answer));
    const { outputTokens, inputTokens, estimated } = meterJson(body, "openai", 400);
    const reference = meterJson(small, "openai", 400);
    if (estimated || reference.estimated) return estimated === reference.estimated;
    return outputTokens === reference.outputTokens && inputTokens === reference.inputTokens;
  });
  fc.assert(property, { numRuns: 5_000 });
  t.end();
});

t.test("an answer that is cut off or no JSON is estimated", (t) => {
  const body = Buffer.from(
    JSON.stringify({ choices: [{ message: { content: "x".repeat(8_000) } }], usage: { prompt_tokens: 1 } }),
  );
  const partial = meterJson(body.subarray(0, 4_040), "openai", 400);
  t.equal(partial.estimated, true);
  t.ok(partial.outputTokens > 990 && partial.outputTokens <= 1_010);
  t.same(meterJson(Buffer.from("<html>Bad gateway</html>"), "openai", 400), usageOf([100, 6, 0, 0, true]));
  t.same(meterJson(Buffer.alloc(0), "openai", 400), usageOf([100, 0, 0, 0, true]));
  t.end();
});

t.test("an estimate is a token for every four bytes, rounded up", (t) => {
  t.same(estimateUsage({ requestBytes: 401, answerBytes: 1 }), usageOf([101, 1, 0, 0, true]));
  t.same(estimateUsage({ requestBytes: 0, answerBytes: 0 }), usageOf([0, 0, 0, 0, true]));
  t.end();
});
