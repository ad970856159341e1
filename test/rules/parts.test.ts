// The parts below the meaning: splitting, globs, addresses, literals, local time, and hostile texts.
import fc from "fast-check";
import t from "tap";
import { compileGlob, globMatches } from "../../src/rules/glob.ts";
import { type Net, netHolds, parseIp, parseNet } from "../../src/rules/ip.ts";
import { readLiteral } from "../../src/rules/literal.ts";
import { formatDate, parseDate, zoneOf } from "../../src/rules/local-time.ts";
import { parseFile, StatementCache } from "../../src/rules/parse.ts";
import { splitStatements } from "../../src/rules/split.ts";
import { report, source } from "./samples.ts";

const SPLIT: readonly (readonly [string, readonly string[]])[] = [
  ["a\nb\n", ["a", "b"]],
  ["a\n  b\n\n\tc\nd", ["a\n  b\n\n\tc", "d"]],
  ["a # x\n# y\n  b # z\n\n", ["a # x\n# y\n  b"]],
  ["a [\nb\n]\nc", ["a [\nb\n]", "c"]],
  ["a {\nb\n}\nc", ["a {\nb\n}", "c"]],
  ['a "[" # [\nb', ['a "["', "b"]],
  ["a [\nb\nc\n", ["a [", "b", "c"]],
  ["let @a = [x,\ndeny model y\n", ["let @a = [x,", "deny model y"]],
  ["let @a = [\ndeny,\nallow\n]\nb", ["let @a = [\ndeny,\nallow\n]", "b"]],
  ["a\r\n  b\r\nc\r\n", ["a\r\n  b", "c"]],
  ["  a\nb", ["a", "b"]],
  ["", []],
  ["# only\n", []],
];

t.test("statements are split at column 0 outside brackets", async (t) => {
  for (const [text, expected] of SPLIT) {
    const pieces = splitStatements(text);
    t.same(
      pieces.map((piece) => piece.text),
      expected,
      JSON.stringify(text),
    );
    for (const { text: piece, offset } of pieces) t.equal(text.slice(offset, offset + piece.length), piece);
  }
});

t.test("an edit parses only the statement that it changed", async (t) => {
  const cache = new StatementCache();
  const first = parseFile(source("default allow\ndeny team ml\n"), cache).statements;
  cache.turn();
  const second = parseFile(source("default allow\n\n# moved\ndeny team ml\ndeny team x\n"), cache).statements;
  t.equal(second[0]?.tree, first[0]?.tree);
  t.equal(second[1]?.tree, first[1]?.tree);
  t.not(second[1]?.offset, first[1]?.offset);
});

t.test("no text makes the parser throw", async (t) => {
  const bytes = Buffer.alloc(64 * 1024);
  for (let seed = 1; seed <= 3; seed += 1) {
    let state = seed;
    for (let i = 0; i < bytes.length; i += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      bytes[i] = state >>> 24;
    }
    t.ok(report(bytes.toString("latin1")).length > 0);
  }
  for (const piece of ["[", "(", "deny when (", "not ", '"', "for team x {", "@", "$", "a.", "..", "deny\n ", "\\"]) {
    t.ok(report(piece.repeat((64 * 1024) / piece.length)).length > 0, piece);
  }
  const words = [
    "deny",
    "only",
    "when",
    "for",
    "team",
    "not",
    "in",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "=",
    "..",
    '"x"',
    "10",
    "@a",
    "\n",
    "\n  ",
    "as",
    "is",
    "set",
    "#",
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 40 }), (all) => {
      report(all.join(" "));
    }),
    { numRuns: 500 },
  );
});

t.test("globs match as their definition says", async (t) => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "/", "-"), maxLength: 8 });
  const glob = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "?"), maxLength: 6 });
  fc.assert(
    fc.property(glob, word, (pattern, name) => {
      const expected = slowly(pattern, name);
      return compileGlob(pattern)(name) === expected && globMatches(pattern, name) === expected;
    }),
    { numRuns: 3_000 },
  );
  t.equal(globMatches(`${"*a".repeat(30)}b`, "a".repeat(2_000)), false, "and never take long");
});

/** The definition, by recursion. */
function slowly(glob: string, name: string): boolean {
  if (glob === "") return name === "";
  if (glob[0] === "*") return slowly(glob.slice(1), name) || (name !== "" && slowly(glob, name.slice(1)));
  return name !== "" && (glob[0] === "?" || glob[0] === name[0]) && slowly(glob.slice(1), name.slice(1));
}

t.test("addresses and networks", async (t) => {
  for (const bad of [
    "",
    "10.0.0",
    "10.0.0.256",
    "010.0.0.1",
    "1.2.3.4.5",
    ":::",
    "1::2::3",
    "12345::",
    "::g",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "10.0.0.1/8",
  ]) {
    t.equal(parseIp(bad), null, bad);
  }
  for (const bad of ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8"])
    t.equal(parseNet(bad), null, bad);
  const holds = (net: string, ip: string): boolean => {
    const address = parseIp(ip);
    return address !== null && netHolds(parseNet(net) as Net, address);
  };
  const inside = [
    ["10.0.0.0/8", "10.255.0.1"],
    ["10.0.0.0/8", "::ffff:10.0.0.1"],
    ["0.0.0.0/0", "255.255.255.255"],
    ["128.0.0.0/1", "200.0.0.1"],
    ["::/0", "fe80::1"],
    ["2001:db8::/32", "2001:db8:ffff::"],
    ["2001:db8:0:1::/65", "2001:db8:0:1:7fff::"],
    ["::1", "0:0:0:0:0:0:0:1"],
  ] as const;
  const outside = [
    ["10.0.0.0/8", "11.0.0.1"],
    ["0.0.0.0/0", "::1"],
    ["::/0", "1.2.3.4"],
    ["2001:db8::/32", "2001:db9::"],
    ["2001:db8:0:1::/65", "2001:db8:0:1:8000::"],
    ["10.1.2.3", "10.1.2.4"],
  ] as const;
  for (const [net, ip] of inside) t.equal(holds(net, ip), true, `${ip} in ${net}`);
  for (const [net, ip] of outside) t.equal(holds(net, ip), false, `${ip} not in ${net}`);
});

t.test("literals carry their dimension", async (t) => {
  const values: Record<string, unknown> = {
    "10": ["number", 10],
    "0.5": ["number", 0.5],
    $10: ["money", 10_000_000_000],
    "$0.50": ["money", 500_000_000],
    "$10/M": ["price", 10_000_000],
    "$0.01/k": ["price", 10_000_000],
    "$0.0375/M": ["price", 37_500],
    "8k": ["tokens", 8_000],
    "1M": ["tokens", 1_000_000],
    "1.5k": ["tokens", 1_500],
    "200kb": ["bytes", 200_000],
    "2MB": ["bytes", 2_000_000],
    "2MiB": ["bytes", 2_097_152],
    "500ms": ["duration", 500],
    "30s": ["duration", 30_000],
    "5m": ["duration", 300_000],
    "1h": ["duration", 3_600_000],
    "7d": ["duration", 604_800_000],
    "10%": ["percent", 10],
    "22:00": ["time", 1_320],
    "24:00": ["time", 1_440],
    "1970-01-02": ["date", 1],
  };
  for (const [text, [dimension, value]] of Object.entries(values) as [string, [string, number]][]) {
    t.same(readLiteral(text), { dimension, value }, text);
  }
  for (const bad of [
    "10x",
    "24:01",
    "12:60",
    "2026-02-29",
    "1.2.3",
    "$",
    "$10/m",
    "8K",
    "0x10",
    "1e3",
    "99999999999999999999",
  ])
    t.equal(readLiteral(bad), null, bad);
});

t.test("local time follows its zone through the year", async (t) => {
  const moments = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2035, 0, 1) });
  for (const name of ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]) {
    const zone = zoneOf(name);
    const format = new Intl.DateTimeFormat("en-GB", { timeZone: name, dateStyle: "short", timeStyle: "short" });
    fc.assert(
      fc.property(moments, (ms) => {
        const local = zone?.at(ms);
        const text = `${formatDate(local?.date ?? 0)
          .split("-")
          .reverse()
          .join(
            "/",
          )}, ${String(Math.floor((local?.minute ?? 0) / 60)).padStart(2, "0")}:${String((local?.minute ?? 0) % 60).padStart(2, "0")}`;
        return text === format.format(ms) && new Date((local?.date ?? 0) * 86_400_000).getUTCDate() === local?.day;
      }),
    );
  }
  t.equal(zoneOf("UTC")?.at(Date.parse("2026-11-21T00:00:00Z")).weekday, 5, "a Saturday");
  t.equal(zoneOf("UTC")?.at(-1).minute, 1_439, "before the epoch too");
  t.equal(zoneOf("Mars/Olympus"), null);
  t.equal(parseDate("2028-02-29") !== null && parseDate("2027-02-29") === null, true);
});
