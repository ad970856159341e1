// The body scanner: bounds, and names that other readers of JSON would take for a field that policy reads.
import fc from "fast-check";
import t, { type Test } from "tap";
import { GatewayError } from "../../src/errors.ts";
import { readJsonBody } from "../../src/llm/json-body.ts";
import { PARSE_LIMITS, policyFields, scanObject } from "../../src/llm/json-scan.ts";

const FIELDS = policyFields(["model", "stream", "max_tokens", "metadata", "stream_options", "messages"]);

const read = (body: string | Buffer, limits = PARSE_LIMITS) =>
  readJsonBody(Buffer.from(body as string), FIELDS, ["model", "stream"], limits);

function refused(t: Test, body: string | Buffer, code: string, param?: string): void {
  const shown = `${body}`.slice(0, 60);
  try {
    read(body);
    t.fail(`taken: ${shown}`);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    t.equal(error.code, code, shown);
    if (param !== undefined) t.equal(error.details.param, param, `the field of ${shown}`);
  }
}

t.test("a field that policy reads may stand once, spelt exactly", async (t) => {
  for (const name of ["Model", "MODEL", "mod\\u0065l", "\\u006dodel", "m\\u006fDel", "mo-del"]) {
    refused(t, `{"model":"cheap","${name}":"dear"}`, "ambiguous_request", "model");
    refused(t, `{"${name}":"dear","model":"cheap"}`, "ambiguous_request", "model");
    refused(t, `{"${name}":"alone"}`, "ambiguous_request", "model");
  }
  refused(t, '{"\u017ftream":true}', "ambiguous_request", "stream");
  refused(t, '{"max_to\u212aens":1}', "ambiguous_request", "max_tokens");
  refused(t, '{"max_to\\u212aens":1}', "ambiguous_request", "max_tokens");
  refused(t, '{"maxTokens":1}', "ambiguous_request", "max_tokens");
  t.same(read('{"model":"a","modelx":1,"Temperature2":2}').json.model, "a", "other names are nobody's business");
});

t.test("no name may stand twice at the top, nor in what policy reads below it", async (t) => {
  refused(t, '{"model":"a","model":"b"}', "ambiguous_request", "model");
  refused(t, '{"model":"a","x":1,"x":2}', "ambiguous_request", "x");
  refused(t, '{"model":"a","x":1,"\\u0078":2}', "ambiguous_request", "x");
  refused(t, '{"stream_options":{"include_usage":true,"include_usage":false}}', "ambiguous_request", "include_usage");
  refused(t, '{"stream_options":{"Include_Usage":true}}', "ambiguous_request", "include_usage");
  refused(t, '{"metadata":{"team":"a","team":"b"}}', "ambiguous_request", "team");
  refused(t, '{"metadata":{"team":"a","te\\u0061m":"b"}}', "ambiguous_request", "team");
  t.same(read('{"messages":[{"a":1,"a":2}]}').json.messages, [{ a: 2 }], "deeper all readers take the last one");
});

t.test("only strict UTF-8 JSON objects are read", async (t) => {
  const bad = [
    ...["", " ", "[]", "1", '"model"', "null", "{", "}", '{"a"}', '{"a":}', '{"a":1', '{"a":1,}', "{a:1}", "{'a':1}"],
    ...['{"a":1}x', '{"a":1}{}', '{"a":NaN}', '{"a":01}', '{"a":"\n"}', '{"a":"\\x"}', '{"a" "b"}', '{"a":"b', '{"a'],
    ...[
      '{"a\\":1}',
      '{"\\u00":1}',
      '{"a":[1,2}',
      '{"a":{"b":1]}',
      '{"a":[',
      "\ufeff{}",
      '{"a":1 "b":2}',
      "{,}",
      '{"a":1,,}',
    ],
  ];
  for (const body of bad) refused(t, body, "invalid_json");
  refused(t, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), "invalid_json");
  refused(t, Buffer.from('{"a":"\ud83d"}', "utf16le"), "invalid_json");
  refused(t, Buffer.from('{"model":"\u00e9"}', "latin1"), "invalid_json");
  refused(t, Buffer.from([...Buffer.from('{"a":"'), 0xed, 0xa0, 0x80, ...Buffer.from('"}')]), "invalid_json");
  t.match(thrown("\ufeff{}").message, /byte order mark/);
  t.match(thrown('{"model":"a" "b"}').message, /position 13/, "the position is told");
});

t.test("what costs far more to parse than its bytes is refused before it is parsed", async (t) => {
  refused(t, `{"a":${"[".repeat(100)}${"]".repeat(100)}}`, "invalid_request");
  t.ok(read(`{"a":${"[".repeat(99)}${"]".repeat(99)}}`), "99 levels below the body's own");
  refused(t, `{"a":${'{"b":'.repeat(100)}1${"}".repeat(100)}}`, "invalid_request");
  refused(t, `{"a":[${"1,".repeat(200_000)}1]}`, "invalid_request");
  refused(t, `{${Array.from({ length: 100_001 }, (_, i) => `"k${i}":1`).join()}}`, "invalid_request");
  t.equal(thrown(`{"a":${"[".repeat(1_000_000)}`).code, "invalid_request", "unclosed, too");
  const numbers = `{"a":[${"1,".repeat(5_000_000)}1]}`;
  const parsed = t.capture(JSON, "parse", JSON.parse);
  refused(t, numbers, "invalid_request");
  t.same(parsed(), [], "10 MB of small numbers: parsing them would block for 400 ms");
});

t.test("the spans are where JSON.parse finds the values, in bytes", async (t) => {
  const name = fc.oneof(
    fc.constantFrom("model", "stream", "é", "日本", 'q"uote', "back\\slash", "x\ny"),
    fc.string({ unit: "binary" }),
  );
  const fields = fc.uniqueArray(fc.tuple(name, fc.jsonValue({ maxDepth: 4 })), { selector: ([key]) => key });
  const spaces = fc.constantFrom(undefined, 1, "\t", " \t");
  fc.assert(
    fc.property(fields, spaces, (members, space) => {
      const json = Object.fromEntries(members);
      const text = JSON.stringify(json, null, space);
      const body = Buffer.from(text);
      const scanned = scanSafely(text);
      if (scanned === null) return;
      t.same([...scanned.keys()].sort(), Object.keys(JSON.parse(text)).sort());
      const { spans } = read(body);
      for (const [key, { start, end }] of spans) {
        if (JSON.stringify(JSON.parse(body.toString("utf8", start, end))) !== JSON.stringify(json[key])) {
          throw new Error(`the span of ${key} in ${text}`);
        }
      }
    }),
  );
});

t.test("long strings end where JSON says, however many escapes they hold", async (t) => {
  const filler = fc.array(fc.constantFrom("\\", '"', "\n", "{", "}", ",", "a".repeat(30), "é"), { maxLength: 60 });
  fc.assert(
    fc.property(filler, filler, (before, after) => {
      const text = before.join("");
      const { spans, json } = read(
        JSON.stringify({ x: text, model: "m", y: [after.join(""), { z: text }], stream: 1 }),
      );
      return spans.size === 2 && json.model === "m" && json.x === text;
    }),
  );
  t.ok(read(`{"x":"${"\\\\".repeat(40)}","model":"m"}`).spans.has("model"), "an even run of backslashes");
  refused(t, `{"x":"${"\\\\".repeat(40)}\\","model":"m"}`, "invalid_json");
});

t.test("whatever the bytes, the scan ends in an answer or an error of ours", async (t) => {
  const ink = fc.constantFrom(...'{}[]":,\\ \n\ufeff', "model", "\\u", "1e9", "true", "é");
  fc.assert(
    fc.property(fc.array(ink, { maxLength: 40 }), (parts) => {
      try {
        read(`{"${parts.join("")}`);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
      }
    }),
  );
  t.pass();
});

function thrown(body: string): GatewayError {
  try {
    read(body);
  } catch (error) {
    return error as GatewayError;
  }
  throw new Error("taken");
}

/** null for names that are rightly refused: a made-up name can fold to a field's. */
function scanSafely(text: string): ReturnType<typeof scanObject> | null {
  try {
    return scanObject(text, FIELDS, PARSE_LIMITS);
  } catch {
    return null;
  }
}
