// The error reference: what each `E…` code is about, with an example and its repair.
import type { Code } from "./diagnostics.ts";

/** What the reference says of a code. */
export interface CodeEntry {
  /** Why it comes, one or two sentences. */
  readonly cause: string;
  /** Statements that draw the code; null where it is not about a text. A `default allow` is to be thought before them. */
  readonly wrong: string | null;
  /** What to do about it. */
  readonly remedy: string;
  /** The same without the code. */
  readonly right: string | null;
}

/** The codes that reject a rule set. */
export type ErrorCode = Extract<Code, `E${string}`>;

/** By code; the compiler sees to it that none is missing. */
export const ERROR_REFERENCE: Readonly<Record<ErrorCode, CodeEntry>> = {
  E101: {
    cause: "A statement goes on with something that cannot stand there. The message says what could.",
    wrong: "deny when price > 10 for team ml",
    remedy:
      "Put the parts in order: effect, selectors, `for`, `when`, `unless`, and `as`, `because`, `until` at the end.",
    right: "deny for team ml when price > 10",
  },
  E102: {
    cause: "A statement starts with a word that starts none.",
    wrong: "dney model gpt-4",
    remedy:
      "Start it with `deny`, `allow`, `only`, `warn`, `limit`, `budget`, `for`, `let`, `default`, `test`, `version` or `timezone`.",
    right: "deny model gpt-4",
  },
  E103: {
    cause: "Where a subject (`model`, `team` …) or a clause (`when`, `for` …) belongs stands another word.",
    wrong: "deny modle gpt-4",
    remedy: "Mend the spelling. An attribute that is no subject, such as `price`, stands in a condition, after `when`.",
    right: "deny model gpt-4",
  },
  E104: {
    cause:
      "A double quote opens a text that does not end on its line, or a backslash stands before a character that needs none.",
    wrong: 'deny team ml because "ask first',
    remedy: 'Close the quote. Inside of it write `\\"` for a quote and `\\\\` for a backslash.',
    right: 'deny team ml because "ask first"',
  },
  E105: {
    cause: "A character stands outside of quotes that the language has no use for.",
    wrong: "deny team münchen",
    remedy: "Put a name that holds other characters than letters, digits and `_ . - / : @ + * ?` in double quotes.",
    right: 'deny team "münchen"',
  },
  E106: {
    cause:
      "A bracket is opened and never closed, or closed and never opened. A blank line or a new statement does not close it.",
    wrong: "deny model [gpt-4, gpt-4o-mini",
    remedy: "Add or take out the bracket.",
    right: "deny model [gpt-4, gpt-4o-mini]",
  },
  E107: {
    cause: "A word starts with a digit or `$` and is no number, price, time, date, duration or address.",
    wrong: "deny when max_tokens > 8q",
    remedy: "Write a unit that the attribute takes, or put the word in quotes where it is a name.",
    right: "deny when max_tokens > 8k",
  },
  E108: {
    cause: "Something is written as other languages write it: `&&`, `||`, `!`, `if`, `block`, single quotes.",
    wrong: "deny when stream && n > 1",
    remedy: "Take the word that the message names: `and`, `or`, `not`, `when`, `deny`, double quotes.",
    right: "deny when stream and n > 1",
  },
  E109: {
    cause: "A comparison or a selector ends before its value.",
    wrong: "deny when price >",
    remedy: "Write the value. A name that is also a word of the language goes in quotes.",
    right: "deny when price > 10",
  },
  E111: {
    cause: "A clause, or in a test a fact, is given twice.",
    wrong: "deny team ml as one as two",
    remedy: "Keep one of the two.",
    right: "deny team ml as one",
  },
  E112: {
    cause: "Brackets or `not` are nested deeper than anyone could read.",
    wrong: `deny when ${"not ".repeat(70)}stream`,
    remedy: "Give parts of it names with `let`.",
    right: "let @streams = stream\ndeny when @streams",
  },
  E113: {
    cause: "A `limit` or `budget` does not say how much may be used.",
    wrong: "limit per 1m by key",
    remedy: "Write the amount: a number of requests or tokens after `limit`, USD after `budget`.",
    right: "limit 100 requests per 1m by key",
  },
  E114: {
    cause: "A `limit` counts requests, tokens or what runs at once, and a `budget` USD. This is something else.",
    wrong: "limit 100 words per 1m by key",
    remedy: "Write `requests`, `tokens` or `concurrent` after a limit's amount, and `$` before a budget's.",
    right: "limit 100 tokens per 1m by key",
  },
  E115: {
    cause:
      "A `limit` or `budget` does not say for how long, or says it as the statement does not take it. What runs at once has no period.",
    wrong: "budget $500 for team ml",
    remedy: "Write `per` with a duration, or for a budget with one of the calendar's periods.",
    right: "budget $500 per month for team ml",
  },
  E116: {
    cause: "A limit's amount is no whole number, or an amount leaves nothing to use.",
    wrong: "limit 0 requests per 1m for team ml",
    remedy: "Write an amount that leaves something, or `deny` where nothing is to be left.",
    right: "deny for team ml",
  },
  E201: {
    cause: "A condition names an attribute that there is not.",
    wrong: "deny when pric > 10",
    remedy: "Mend the spelling; README.md lists the attributes.",
    right: "deny when price > 10",
  },
  E202: {
    cause: "An `@name` is used that no `let` makes, in any file.",
    wrong: "deny model @frontier",
    remedy: "Make it with `let`, in whichever file.",
    right: "let @frontier = [gpt-4]\ndeny model @frontier",
  },
  E203: {
    cause: "A list stands where a condition belongs, or a condition where a list does.",
    wrong: "let @frontier = [gpt-4]\ndeny when @frontier",
    remedy: "Write `model in @list` for a list, and `when @condition` for a condition.",
    right: "let @frontier = [gpt-4]\ndeny when model in @frontier",
  },
  E204: {
    cause: "An attribute is compared with a value of another kind: a price with tokens, a time with a number.",
    wrong: "deny when max_tokens > $10/M",
    remedy: "Write the value in the attribute's own unit.",
    right: "deny when max_tokens > 10k",
  },
  E205: {
    cause: "An operator does not fit the attribute: names have no order, `stream` is true or false.",
    wrong: "deny when team > ml",
    remedy:
      "Use `=`, `!=`, `in` or `has` for names, `<` and `>` for what is counted, and the attribute alone for yes or no.",
    right: "deny when team = ml",
  },
  E206: {
    cause: "The attribute has a closed list of values, and this is none of them.",
    wrong: "deny endpoint chta",
    remedy: "Take one of the values that the message names.",
    right: "deny endpoint chat",
  },
  E207: {
    cause: "No file says what happens to a request that no rule is about.",
    wrong: "default deny for team ml",
    remedy: "Add one `default allow` or `default deny` without `for`, in any one file.",
    right: "default allow\ndefault deny for team ml",
  },
  E208: {
    cause: "Two `default` lines are about the same requests, and one allows what the other denies.",
    wrong: "default allow\ndefault deny",
    remedy: "Keep one of the two. Defaults for some, with `for`, may differ.",
    right: "default allow\ndefault deny for team ml",
  },
  E209: {
    cause: "Two `let` statements make the same name. Names belong to all files.",
    wrong: "let @a = [gpt-4]\nlet @a = [gpt-4o-mini]\ndeny model @a",
    remedy: "Rename one of the two, or join the lists.",
    right: "let @a = [gpt-4, gpt-4o-mini]\ndeny model @a",
  },
  E210: {
    cause: "A condition uses its own name, maybe by way of another.",
    wrong: "let @a = stream and @b\nlet @b = not @a\ndeny when @a",
    remedy: "Write out one of them.",
    right: "let @a = stream and @b\nlet @b = n > 1\ndeny when @a",
  },
  E211: {
    cause: "`only` denies whatever is not what it names, so it has to name something.",
    wrong: "only for team ml",
    remedy: "Name models or providers.",
    right: "only model gpt-4o-mini for team ml",
  },
  E213: {
    cause: "The file is written for another version of the language.",
    wrong: "version 2",
    remedy: "Upgrade the gateway, or write the file in version 1.",
    right: "version 1",
  },
  E214: {
    cause: "The time zone is unknown, or the file names two. Each file may have its own.",
    wrong: "timezone Berlin",
    remedy: "Write an IANA name, once a file.",
    right: "timezone Europe/Berlin",
  },
  E215: {
    cause: "The header carries a credential. No rule may read one, so that none ends up in an answer or a log.",
    wrong: 'deny when header["authorization"] = x',
    remedy: "Compare the key, the team or the user that the credential stands for.",
    right: "deny key ci",
  },
  E216: {
    cause: "A range ends before it starts, or its ends are of two kinds. Only times, weekdays and hours go round.",
    wrong: "deny when max_tokens in 8k..1k",
    remedy: "Write the smaller value first.",
    right: "deny when max_tokens in 1k..8k",
  },
  E217: {
    cause: "`status` is the HTTP status of a denial: from 400 to 499, on `deny` and `only`.",
    wrong: "deny team ml status 200",
    remedy: "Take a status from 400 to 499, or leave it out for 403.",
    right: "deny team ml status 451",
  },
  E218: {
    cause:
      "A rule file or the rules directory cannot be read: it is missing, not UTF-8, too large, or not allowed to the gateway.",
    wrong: null,
    remedy: "Mend the path, the permissions or the encoding. Nothing is loaded while any file cannot be read.",
    right: null,
  },
  E219: {
    cause: "A test says nothing of what must come of its request.",
    wrong: 'test "gpt-4" {\n  given model gpt-4\n}',
    remedy: "Add `expect allow` or `expect deny`.",
    right: 'test "gpt-4" {\n  given model gpt-4\n  expect allow\n}',
  },
  E220: {
    cause: "A test gives something that no request has: a pattern for a name, two models, an hour beside `at`.",
    wrong: 'test "any" {\n  given model gpt-*\n  expect allow\n}',
    remedy: "Give one value that a request could have.",
    right: 'test "one" {\n  given model gpt-4\n  expect allow\n}',
  },
  E221: {
    cause: "A test expects a rule by an id that no rule has: it was renamed, taken out, or moved to another line.",
    wrong: 'deny team ml\ntest "ml" {\n  given team ml\n  expect deny by no-ml\n}',
    remedy: "Give the rule an id with `as`, or mend the test.",
    right: 'deny team ml as no-ml\ntest "ml" {\n  given team ml\n  expect deny by no-ml\n}',
  },
  E222: {
    cause:
      "The rules decide a test's request otherwise than the test expects. What the message says after `got` is what decided.",
    wrong: 'deny model gpt-4\ntest "gpt-4 is for all" {\n  given model gpt-4\n  expect allow\n}',
    remedy: "`tollgate test` explains it. Mend the rules, or the test where the rules are right.",
    right: 'deny model gpt-4\ntest "gpt-4 is for nobody" {\n  given model gpt-4\n  expect deny\n}',
  },
  E223: {
    cause: "`by` makes a counter for each value of an attribute, and this one has no values to tell callers apart by.",
    wrong: "limit 100 requests per 1m by price",
    remedy: "Count by names such as `key`, `team`, `model` or `ip`, each once.",
    right: "limit 100 requests per 1m by key",
  },
  E224: {
    cause:
      "A `shadow` rule charges nothing, and what is not charged is not counted: it could not say what it would deny.",
    wrong: "shadow limit 100 requests per 1m by key",
    remedy: "Try it with a high amount, or turn it off with `off`.",
    right: "limit 10k requests per 1m by key",
  },
  E230: {
    cause:
      "A file whose name ends in `.test.rules` holds something else than tests. It would be easy to overlook there.",
    wrong: null,
    remedy: "Move the statement to another file, or rename this one. `version` and `timezone` may stay.",
    right: null,
  },
  E501: {
    cause:
      "Rules that are kept on an organisation, a team or a key hold `allow` or `default`. They may only narrow what the rule files allow.",
    wrong: "allow model gpt-4",
    remedy: "Write what is denied, with `deny … unless …` or `only …`, or move the statement to a rule file.",
    right: "only model gpt-4",
  },
};
