// What a syntax mistake is called: habits of other languages, did-you-mean, and what was expected where.
import type { IParserErrorMessageProvider, IRecognitionException, IToken, TokenType } from "chevrotain";
import { tokenMatcher } from "chevrotain";
import { suggest } from "../suggest.ts";
import type { Span } from "./ast.ts";
import { ATTRIBUTES } from "./attribute-table.ts";
import { quote, RuleSyntaxError, spanOf } from "./syntax-error.ts";
import * as T from "./tokens.ts";

const EFFECTS = ["deny", "allow", "only", "warn", "limit", "budget"];
const STATEMENTS = [...EFFECTS, "shadow", "off", "version", "timezone", "default", "let", "for", "test"];
const CLAUSES = ["for", "when", "unless", "as", "because", "owner", "until", "status"];
/** Other languages' words for ours. */
const EFFECT_HABITS = new Map([
  ...["block", "forbid", "reject", "refuse", "disallow", "drop"].map((word) => [word, "deny"] as const),
  ...["permit", "grant", "accept", "pass"].map((word) => [word, "allow"] as const),
  ["if", "deny … when"] as const,
  ["set", "let"] as const,
]);
const CLAUSE_HABITS = new Map([
  ["if", "when"],
  ["where", "when"],
  ["except", "unless"],
  ["to", "for"],
  ["by", "for"],
]);

/** A statement that starts with a word that is none of ours: E102 or E108. */
export function noEffect(token: IToken): RuleSyntaxError {
  const word = token.image;
  const span = spanOf(token);
  const meant = EFFECT_HABITS.get(word.toLowerCase());
  if (meant !== undefined)
    return new RuleSyntaxError("E108", span, `${quote(word)} is not used here`, `write \`${meant}\``);
  return new RuleSyntaxError(
    "E102",
    span,
    `unknown effect ${quote(word)}`,
    near(word, STATEMENTS) ?? "a rule starts with `deny`, `allow` or `only`",
  );
}

/** A word where a selector or a clause should stand: E103 or E108. */
export function noSubject(token: IToken): RuleSyntaxError {
  const word = token.image;
  const meant = CLAUSE_HABITS.get(word.toLowerCase());
  if (meant !== undefined)
    return new RuleSyntaxError("E108", spanOf(token), `${quote(word)} is not used here`, `write \`${meant}\``);
  if (ATTRIBUTES.has(word)) {
    const help = `compare it after \`when\`: \`when ${word} …\``;
    return new RuleSyntaxError("E103", spanOf(token), `${quote(word)} is an attribute, not a subject`, help);
  }
  const help = near(word, [...T.SUBJECTS, ...CLAUSES]) ?? "conditions stand after `when`, as in `deny when price > 10`";
  return new RuleSyntaxError("E103", spanOf(token), `unknown subject ${quote(word)}`, help);
}

/** The same in a `limit` or `budget`, where `by` has a place of its own. */
export function lateBy(token: IToken): RuleSyntaxError {
  if (token.image !== "by") return noSubject(token);
  const help = "it stands before selectors and `for`: `limit 100 requests per 1m by key for team ml`";
  return new RuleSyntaxError("E101", spanOf(token), "`by` stands too late", help);
}

/** Nesting that no person writes: E112. */
export function tooDeep(token: IToken, depthMax: number): RuleSyntaxError {
  return new RuleSyntaxError(
    "E112",
    spanOf(token),
    `nested deeper than ${depthMax} levels`,
    "name a part of it with `let`",
  );
}

/** `did you mean …?`, or null when nothing is near. */
export function near(word: string, candidates: Iterable<string>): string | null {
  const found = word.length > 64 ? null : suggest(word, candidates);
  return found === null ? null : `did you mean \`${found}\`?`;
}

const BY_RULE = new Map([
  ["statement", "a rule, which starts with `deny`, `allow` or `only`"],
  ["effect", "`deny`, `allow`, `only`, `warn`, `limit` or `budget`"],
  ["ruleLine", "`deny`, `allow`, `only`, `warn`, `limit` or `budget`"],
  ["byClause", "an attribute"],
  ["defaultLine", "`allow` or `deny`"],
  ["letLine", "a list or a condition"],
  ["value", "a value"],
  ["listItem", "a value"],
  ["valueOrList", "a value"],
  ["selector", `one of ${T.SUBJECTS.map((name) => `\`${name}\``).join(", ")}`],
  ["negation", "a condition"],
  ["condition", "a condition"],
  ["conjunction", "a condition"],
  ["comparison", "a comparison"],
  ["membership", "`in` or `has` after `not`"],
  ["isSet", "`set` or `unset`"],
  ["testBlock", "`given` or `expect`"],
  ["expectLine", "`allow` or `deny`"],
  ["givenValue", "a value"],
]);

const BY_TOKEN = new Map<TokenType, string>([
  [T.Quantity, "a number or a date"],
  [T.Text, "a text in double quotes"],
  [T.AnyWord, "a word"],
  [T.NameWord, "an attribute"],
  [T.Name, "an `@name`"],
  [T.Equal, "`=`"],
  [T.RBrace, "`}`"],
  [T.LBrace, "`{`"],
]);

/** Has chevrotain say only what it expected; `explain` makes the sentence. */
export const EXPECTED: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => BY_TOKEN.get(expected) ?? quote(String(expected.PATTERN)),
  buildNoViableAltMessage: ({ ruleName }) => BY_RULE.get(ruleName) ?? "something else",
  buildEarlyExitMessage: ({ ruleName }) => BY_RULE.get(ruleName) ?? "something else",
  buildNotAllInputParsedMessage: () => "",
};

/** chevrotain's exception → E101 or E109. An end of input carries no offset, so the end of the last token is taken. */
export function explain(error: IRecognitionException, tokens: readonly IToken[]): RuleSyntaxError {
  const { token } = error;
  const last = tokens.at(-1);
  const atEnd = Number.isNaN(token.startOffset) || token.startOffset < 0 || token.image === "";
  const end = last === undefined ? 0 : spanOf(last).end;
  const span: Span = atEnd ? { start: end, end } : spanOf(token);
  const found = atEnd
    ? "the end of the rule"
    : token.tokenType === T.Newline
      ? "the end of the line"
      : quote(token.image);
  const isIn = token.tokenType === T.In;
  const connective = tokenMatcher(token, T.AnyWord) && !tokenMatcher(token, T.NameWord);
  if (error.message === "a value" && !isIn && (atEnd || connective)) {
    const help = connective ? `put it in quotes if it is a name: \`"${token.image}"\`` : "write the value";
    return new RuleSyntaxError("E109", span, `a value is missing before ${found}`, help);
  }
  const message = error.message === "" ? `unexpected ${found}` : `expected ${error.message}, found ${found}`;
  const inTest = error.message === "`}`" ? near(token.image, ["given", "expect"]) : null;
  return new RuleSyntaxError("E101", span, message, inTest ?? adviceOn(token, error.message === ""));
}

/** What to do about a token that stands in the wrong place. */
function adviceOn(token: IToken, complete: boolean): string | null {
  const type = token.tokenType;
  if ([T.Equal, T.NotEqual, T.In, T.Less, T.Greater, T.AtMost, T.AtLeast].includes(type)) {
    return "a selector takes its value directly, as in `model gpt-4`; comparisons stand after `when`";
  }
  if (!complete) return null;
  if (type === T.For) return "`for` stands before `when` and `unless`";
  if (type === T.When) return "`when` stands once, before `unless`";
  if (type === T.Unless) return "`unless` stands once";
  if (tokenMatcher(token, T.Subject)) return "selectors stand before `when`; after it, join conditions with `and`";
  if (STATEMENTS.includes(token.image)) return "a rule starts at the beginning of a line";
  return null;
}
