// Costs and their upper bounds: exact integers, and no usage within a bound costs more than the bound.
import fc from "fast-check";
import t from "tap";
import { costBound, costNanoUsd } from "../../src/llm/cost.ts";
import { promptBytes, promptSize } from "../../src/llm/prompt-size.ts";
import type { JsonObject, Price, Target, Usage } from "../../src/types.ts";
import { PRICE, target } from "./samples.ts";

const usage = (facts: Partial<Usage>): Usage => ({
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  estimated: false,
  ...facts,
});

const call = (json: JsonObject, maxTokens: number | null = null, n = 1) => ({
  json,
  maxTokens,
  n,
  body: Buffer.from(JSON.stringify(json)),
});

t.test("cost is exact, with one rounding, up", async (t) => {
  t.equal(costNanoUsd(PRICE, usage({ inputTokens: 1_000_000, outputTokens: 500_000 })), 2_000_000_000, "$2");
  t.equal(costNanoUsd(PRICE, usage({})), 0);
  const small = { ...PRICE, inputPicoUsd: 37_500, cachedInputPicoUsd: 1 };
  t.equal(costNanoUsd(small, usage({ inputTokens: 1 })), 38, "$0.0375 per million: 37.5 nano-USD a token");
  t.equal(costNanoUsd(small, usage({ inputTokens: 2 })), 75, "not rounded token by token");
  t.equal(costNanoUsd(small, usage({ inputTokens: 1, cachedInputTokens: 1 })), 1, "never rounded to nothing");
  const parts = usage({ inputTokens: 1_000, cachedInputTokens: 600, cacheWriteTokens: 300, outputTokens: 10 });
  t.equal(costNanoUsd(PRICE, parts), (100 * 1_000_000 + 600 * 100_000 + 300 * 1_250_000 + 10 * 2_000_000) / 1_000);
});

t.test("a tier replaces all rates from its first token on", async (t) => {
  const tier = { ...PRICE, inputPicoUsd: 2_000_000, outputPicoUsd: 3_000_000, fromInputTokens: 200_001 };
  const tiered: Price = { ...PRICE, tiers: [{ ...tier, inputPicoUsd: 9_000_000, fromInputTokens: 500_000 }, tier] };
  t.equal(costNanoUsd(tiered, usage({ inputTokens: 200_000, outputTokens: 1 })), 200_002_000);
  t.equal(costNanoUsd(tiered, usage({ inputTokens: 200_001, outputTokens: 1 })), 400_005_000);
  t.equal(costNanoUsd(tiered, usage({ inputTokens: 500_000 })), 4_500_000_000);
});

t.test("beyond 2^53 pico-USD the arithmetic stays exact", async (t) => {
  const dear = { ...PRICE, inputPicoUsd: 999_999_999, outputPicoUsd: 600_000_001 };
  const large = usage({ inputTokens: 123_456_789, outputTokens: 987_654_321 });
  const exact = (123_456_789n * 999_999_999n + 987_654_321n * 600_000_001n + 999n) / 1_000n;
  t.equal(BigInt(costNanoUsd(dear, large)), exact);
  t.equal(
    costNanoUsd(dear, usage({ outputTokens: 2 ** 40 })),
    Number.MAX_SAFE_INTEGER,
    "and ends at the last exact one",
  );
});

const rate = fc.integer({ min: 0, max: 600_000_000 });
const rates = fc.record({
  inputPicoUsd: rate,
  outputPicoUsd: rate,
  cachedInputPicoUsd: rate,
  cacheWritePicoUsd: rate,
});
const tokens = fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 2_000_000 }));
const price: fc.Arbitrary<Price> = fc
  .tuple(
    rates,
    fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 3_000 }), rates), { selector: ([from]) => from, maxLength: 3 }),
  )
  .map(([base, tiers]) => ({
    ...base,
    tiers: tiers.sort(([a], [b]) => b - a).map(([fromInputTokens, each]) => ({ ...each, fromInputTokens })),
  }));

t.test("no usage within the bound costs more than the bound", async (t) => {
  const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));
  fc.assert(
    fc.property(
      price,
      fc.string({ maxLength: 4_000 }),
      fc.option(tokens),
      fc.integer({ min: 1, max: 128 }),
      fc.tuple(share, share, share, share),
      (itsPrice, content, maxTokens, n, [input, output, cached, written]) => {
        const asked = call({ model: "m", messages: [{ role: "user", content }] }, maxTokens, n);
        const bound = costBound(asked, target({ price: itsPrice }));
        const inputTokens = Math.floor(bound.inputTokens * input);
        const cachedInputTokens = Math.floor(inputTokens * cached);
        const cacheWriteTokens = Math.floor((inputTokens - cachedInputTokens) * written);
        const outputTokens = Math.floor(bound.outputTokens * output);
        const used = usage({ inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens });
        return costNanoUsd(itsPrice, used) <= (bound.costNanoUsd ?? -1);
      },
    ),
    { numRuns: 2_000 },
  );
  t.pass();
});

t.test("the bound on output: the cap or the model's limit, for each answer", async (t) => {
  const hi = { messages: [{ role: "user", content: "hi" }] };
  const output = (maxTokens: number | null, n: number, facts: Partial<Target> = {}, json: JsonObject = hi) =>
    costBound(call(json, maxTokens, n), target(facts)).outputTokens;
  t.equal(output(100, 1), 100);
  t.equal(output(100, 3), 300);
  t.equal(output(null, 2), 2 * 16_384);
  t.equal(output(1e9, 1), 16_384, "a model writes no more than it can");
  t.equal(output(null, 1, { outputTokensMax: null }), 131_072, "an assumption where nobody knows");
  const predicting = { ...hi, prediction: { type: "content", content: "x".repeat(1_000) } };
  t.ok(output(100, 1, {}, predicting) > 1_100, "rejected tokens of a prediction are billed too");
});

t.test("the bound on input: bytes of text, and what no bytes tell", async (t) => {
  const input = (json: JsonObject, facts: Partial<Target> = {}) => costBound(call(json), target(facts)).inputTokens;
  const say = (content: unknown): JsonObject => ({ messages: [{ role: "user", content }] });
  const text = say("日本語 \u0000 hello");
  t.equal(input(text), Buffer.byteLength(JSON.stringify(text)));
  const image = (url: string) => say([{ type: "image_url", image_url: { url } }]);
  const data = `data:image/png;base64,${"A".repeat(4_000_000)}`;
  t.ok(input(image("https://x/y.png")) > 20_000, "an image by address");
  t.equal(input(image(data)), input(image("")), "an image in the body is an image, not 4 MB of text");
  t.ok(input(image("https://x/y.png"), { model: "gpt-4o-mini" }) > 50_000);
  const claude: Partial<Target> = { wire: "anthropic", model: "claude-haiku-4-5", contextTokens: 200_000 };
  const picture = { type: "image", source: { type: "base64", media_type: "image/png", data: "A".repeat(2_000_000) } };
  const nested = say([{ type: "tool_result", tool_use_id: "t", content: [picture, picture] }]);
  t.ok(input(nested, claude) < 11_000 && input(nested, claude) > 10_000, "two images within a tool's result");
  const pdf = say([{ type: "document", source: { type: "url", url: "https://x/y.pdf" } }]);
  t.equal(input(pdf, claude), 1_000_000, "a file may fill the largest window");
  const plain = say([{ type: "document", source: { type: "text", media_type: "text/plain", data: "x".repeat(500) } }]);
  t.ok(input(plain, claude) > 500 && input(plain, claude) < 1_000);
  t.equal(input(say("x".repeat(3_000_000)), claude), 1_000_000, "no model reads more");
  t.ok(input(say("x".repeat(3_000_000)), { contextTokens: null }) > 3_000_000, "as far as is known");
  const tools = { ...say("hi"), tools: [{ name: "a" }, { type: "bash_20250124", name: "bash" }] };
  t.equal(input(tools, claude), Buffer.byteLength(JSON.stringify(tools)) + 2_000, "Anthropic adds a prompt for tools");
  t.equal(input(tools), Buffer.byteLength(JSON.stringify(tools)));
});

t.test("what has no list price has no bound in money", async (t) => {
  const cost = (json: JsonObject, facts: Partial<Target> = {}) => costBound(call(json, 10), target(facts)).costNanoUsd;
  t.equal(cost({}, { price: null }), null);
  for (const json of [{ service_tier: "priority" }, { speed: "fast" }, { inference_geo: "us" }, { service_tier: 1 }]) {
    t.equal(cost(json), null, JSON.stringify(json));
  }
  for (const json of [
    { service_tier: null },
    { service_tier: "auto" },
    { service_tier: "flex" },
    { speed: "standard" },
  ]) {
    t.type(cost(json), "number", JSON.stringify(json));
  }
});

t.test("a prompt's size looks through whatever a caller writes", async (t) => {
  const size = (json: unknown) => promptSize(call(json as JsonObject));
  for (const messages of [1, null, [null, 1, "x", { content: [null, 1, { type: "image" }, { type: "document" }] }]]) {
    t.ok(size({ messages }).textBytes >= 0);
  }
  t.match(size({ messages: [{ content: [{ type: "image_url", image_url: "https://x" }] }] }), { images: 1 });
  t.match(size({ messages: [{ content: [{ type: "file", file: { file_id: "f" } }] }] }), { files: 1 });
  t.match(size({ messages: [{ content: [{ type: "container_upload", file_id: "f" }] }] }), { files: 1 });
  const deep = { type: "document", source: { type: "content", content: [{ type: "image", source: { type: "url" } }] } };
  t.match(size({ messages: [{ content: [deep] }] }), { images: 1, files: 0 });
  let nested: unknown = "end";
  for (let i = 0; i < 90; i += 1) nested = [{ type: "tool_result", content: nested }];
  t.ok(size({ messages: [{ content: nested }] }).textBytes > 0);
  const photo = { messages: [{ content: [{ type: "image_url", image_url: { url: `data:,${"A".repeat(1e6)}` } }] }] };
  t.ok(promptBytes(call(photo)) < 10_000, "an estimate takes a photograph for a photograph");
  fc.assert(fc.property(fc.jsonValue(), (content) => size({ messages: [{ content }] }).textBytes >= 0));
});
