// The tokens of the rule language. Keywords are words: a category says which of them may also stand as a name.
import { createToken, Lexer, type TokenType } from "chevrotain";

/** Any word, keywords included. */
export const AnyWord = createToken({ name: "AnyWord", pattern: Lexer.NA });
/** A word that may stand as a value without quotes: all but the connectives below. */
export const NameWord = createToken({ name: "NameWord", pattern: Lexer.NA, categories: [AnyWord] });
/** What a selector selects by. */
export const Subject = createToken({ name: "Subject", pattern: Lexer.NA, categories: [NameWord] });

/** A word that is no keyword. A dot belongs to it, two dots do not: `mon..fri` is a range. */
export const Word = createToken({
  name: "Word",
  pattern: /[A-Za-z_*?](?:[A-Za-z0-9_\-/:@+*?]|\.(?!\.))*/,
  categories: [NameWord],
});

const connective = (name: string): TokenType =>
  createToken({ name, pattern: name, longer_alt: Word, categories: [AnyWord] });
const keyword = (name: string): TokenType =>
  createToken({ name, pattern: name, longer_alt: Word, categories: [NameWord] });
const subject = (name: string): TokenType =>
  createToken({ name, pattern: name, longer_alt: Word, categories: [Subject] });

export const And = connective("and");
export const Or = connective("or");
export const Not = connective("not");
export const In = connective("in");
export const Has = connective("has");
export const Is = connective("is");
export const When = connective("when");
export const Unless = connective("unless");
export const For = connective("for");
export const As = connective("as");

export const SetWord = keyword("set");
export const Unset = keyword("unset");
export const Because = keyword("because");
export const Until = keyword("until");
export const Owner = keyword("owner");
export const Status = keyword("status");
export const Deny = keyword("deny");
export const Allow = keyword("allow");
export const Only = keyword("only");
export const Shadow = keyword("shadow");
export const Off = keyword("off");
export const Version = keyword("version");
export const Timezone = keyword("timezone");
export const Default = keyword("default");
export const Let = keyword("let");
export const Warn = keyword("warn");
export const Limit = keyword("limit");
export const Budget = keyword("budget");
export const Test = keyword("test");
export const Given = keyword("given");
export const Expect = keyword("expect");

/** The subjects, as a writer may have meant them. */
export const SUBJECTS = ["model", "provider", "endpoint", "key", "team", "org", "user", "role", "tag"] as const;

/** `@name`. */
export const Name = createToken({ name: "Name", pattern: /@[A-Za-z_][A-Za-z0-9_-]*/ });
/** What starts with a digit, `$` or `::`; literal.ts says what it measures. */
export const Quantity = createToken({
  name: "Quantity",
  pattern: /(?:\$?[0-9]|::)(?:[A-Za-z0-9_\-/:%@+*?]|\.(?!\.))*/,
});
export const Text = createToken({ name: "Text", pattern: /"(?:[^"\\\n\r]|\\[^\n\r])*"/ });
/** A text whose closing quote is missing. */
export const OpenText = createToken({ name: "OpenText", pattern: /"(?:[^"\\\n\r]|\\[^\n\r])*\\?/ });

export const Equal = createToken({ name: "Equal", pattern: /==?/ });
export const NotEqual = createToken({ name: "NotEqual", pattern: "!=" });
export const AtMost = createToken({ name: "AtMost", pattern: "<=" });
export const AtLeast = createToken({ name: "AtLeast", pattern: ">=" });
export const Less = createToken({ name: "Less", pattern: "<" });
export const Greater = createToken({ name: "Greater", pattern: ">" });
export const Dots = createToken({ name: "Dots", pattern: ".." });
export const Comma = createToken({ name: "Comma", pattern: "," });
export const LParen = createToken({ name: "LParen", pattern: "(" });
export const RParen = createToken({ name: "RParen", pattern: ")" });
export const LBracket = createToken({ name: "LBracket", pattern: "[" });
export const RBracket = createToken({ name: "RBracket", pattern: "]" });
export const LBrace = createToken({ name: "LBrace", pattern: "{" });
export const RBrace = createToken({ name: "RBrace", pattern: "}" });
/** The end of a line; the lexer keeps only those that part the rules of a `for … { }`. */
export const Newline = createToken({ name: "Newline", pattern: /\r?\n/, line_breaks: true });

/** Spellings of other languages, lexed so that they can be named. */
export const Foreign = createToken({ name: "Foreign", pattern: /&&?|\|\|?|!|;|\/\/.*|'[^'\n\r]*'?/ });

const Space = createToken({ name: "Space", pattern: /[ \t]+/, group: Lexer.SKIPPED });
const Comment = createToken({ name: "Comment", pattern: /#[^\n]*/, group: Lexer.SKIPPED });

/** Every token, longer spellings first (`org` before `or`). */
export const TOKENS: TokenType[] = [
  Space,
  Newline,
  Comment,
  ...SUBJECTS.map(subject),
  ...[And, Or, Not, In, Has, Is, When, Unless, For, As],
  ...[SetWord, Unset, Because, Until, Owner, Status, Deny, Allow, Only, Shadow, Off, Version, Timezone, Default, Let],
  ...[Warn, Limit, Budget, Test, Given, Expect],
  Word,
  Name,
  Quantity,
  Text,
  OpenText,
  NotEqual,
  Equal,
  AtMost,
  AtLeast,
  Less,
  Greater,
  Dots,
  Comma,
  ...[LParen, RParen, LBracket, RBracket, LBrace, RBrace],
  Foreign,
  ...[AnyWord, NameWord, Subject],
];
