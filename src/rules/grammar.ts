// The grammar's upper part: whole statements. Embedded actions, no recovery.
import type { IToken } from "chevrotain";
import type {
  DefaultNode,
  Effect,
  Expr,
  LetNode,
  RuleNode,
  ScopeNode,
  SelectorNode,
  Statement,
  TimezoneNode,
  VersionNode,
} from "./ast.ts";
import { QuotaGrammar } from "./grammar-quotas.ts";
import type { Rule } from "./grammar-values.ts";
import { type ClauseToken, readMeta } from "./meta.ts";
import { noEffect } from "./mistakes.ts";
import { nameNode } from "./nodes.ts";
import * as T from "./tokens.ts";

/** Parses one statement at a time. */
export class RuleGrammar extends QuotaGrammar {
  constructor() {
    super();
    this.performSelfAnalysis();
  }

  /** One statement's tokens → its tree; undefined when `this.errors` says why not. @throws {RuleSyntaxError} for mistakes with their own message. */
  read(tokens: IToken[]): Statement | undefined {
    this.input = tokens;
    this.depth = 0;
    this.counting = false;
    return this.statement();
  }

  private readonly statement: Rule<Statement> = this.RULE(
    "statement",
    (): Statement =>
      this.OR([
        { ALT: () => this.SUBRULE(this.versionLine) },
        { ALT: () => this.SUBRULE(this.timezoneLine) },
        { ALT: () => this.SUBRULE(this.defaultLine) },
        { ALT: () => this.SUBRULE(this.letLine) },
        { ALT: () => this.SUBRULE(this.scopeBlock) },
        { ALT: () => this.SUBRULE(this.testBlock) },
        { ALT: () => this.SUBRULE(this.ruleLine) },
      ]),
  );

  private readonly versionLine: Rule<VersionNode> = this.RULE("versionLine", (): VersionNode => {
    const start = this.CONSUME(T.Version);
    const version = this.SUBRULE(this.value);
    return { kind: "version", version, span: this.spanFrom(start) };
  });

  private readonly timezoneLine: Rule<TimezoneNode> = this.RULE("timezoneLine", (): TimezoneNode => {
    const start = this.CONSUME(T.Timezone);
    const zone = this.SUBRULE(this.value);
    return this.ACTION(() => ({ kind: "timezone", zone: zone.text, span: this.spanFrom(start) }));
  });

  private readonly defaultLine: Rule<DefaultNode> = this.RULE("defaultLine", (): DefaultNode => {
    const start = this.CONSUME(T.Default);
    const word = this.OR([{ ALT: () => this.CONSUME(T.Allow) }, { ALT: () => this.CONSUME(T.Deny) }]);
    const scope = this.OPTION(() => this.SUBRULE(this.forClause)) ?? [];
    return {
      kind: "default",
      effect: word.tokenType === T.Allow ? "allow" : "deny",
      scope,
      span: this.spanFrom(start),
    };
  });

  private readonly letLine: Rule<LetNode> = this.RULE("letLine", (): LetNode => {
    const start = this.CONSUME(T.Let);
    const name = nameNode(this.CONSUME(T.Name));
    this.CONSUME(T.Equal);
    const value = this.OR([{ ALT: () => this.SUBRULE(this.listing) }, { ALT: () => this.SUBRULE(this.condition) }]);
    return { kind: "let", name, value, span: this.spanFrom(start) };
  });

  private readonly scopeBlock: Rule<ScopeNode> = this.RULE("scopeBlock", (): ScopeNode => {
    const start = this.LA(1);
    const rules: RuleNode[] = [];
    const scope = this.SUBRULE(this.forClause);
    this.CONSUME(T.LBrace);
    this.MANY(() => this.CONSUME(T.Newline));
    this.MANY1({
      GATE: () => this.LA(1).tokenType !== T.RBrace,
      DEF: () => {
        rules.push(this.SUBRULE(this.ruleLine));
        this.MANY2(() => this.CONSUME1(T.Newline));
      },
    });
    this.CONSUME(T.RBrace);
    return { kind: "scope", scope, rules, span: this.spanFrom(start) };
  });

  private readonly ruleLine: Rule<RuleNode> = this.RULE("ruleLine", (): RuleNode => {
    const start = this.LA(1);
    const prefix = this.OPTION(() =>
      this.OR([{ ALT: () => this.CONSUME(T.Shadow) }, { ALT: () => this.CONSUME(T.Off) }]),
    );
    const { effect, quota } = this.OR1([
      { ALT: () => ({ effect: this.SUBRULE(this.effect), quota: null }) },
      { ALT: () => this.SUBRULE(this.counted) },
    ]);
    const selectors = this.SUBRULE(this.selectors);
    const scope = this.OPTION1(() => this.SUBRULE(this.forClause)) ?? [];
    const when = this.OPTION2(() => this.SUBRULE(this.whenClause)) ?? null;
    const unless = this.OPTION3(() => this.SUBRULE(this.unlessClause)) ?? null;
    const clauses: ClauseToken[] = [];
    this.MANY(() => clauses.push(this.SUBRULE(this.clause)));
    const mode = prefix === undefined ? "live" : prefix.tokenType === T.Shadow ? "shadow" : "off";
    return this.ACTION(() => {
      const meta = readMeta(clauses);
      return { kind: "rule", mode, effect, quota, selectors, scope, when, unless, meta, span: this.spanFrom(start) };
    });
  });

  /** A word that is no effect is taken here, so that it can be named. */
  private readonly effect: Rule<Effect> = this.RULE("effect", (): Effect => {
    const word = this.OR([
      { ALT: () => this.CONSUME(T.Deny) },
      { ALT: () => this.CONSUME(T.Allow) },
      { ALT: () => this.CONSUME(T.Only) },
      { ALT: () => this.CONSUME(T.Warn) },
      { ALT: () => this.refuse(noEffect, this.CONSUME(T.Word)) },
    ]);
    return word.image as Effect;
  });

  private readonly forClause: Rule<SelectorNode[]> = this.RULE("forClause", (): SelectorNode[] => {
    this.CONSUME(T.For);
    const first = this.SUBRULE(this.selector);
    const more = this.SUBRULE(this.selectors);
    return this.ACTION(() => [first, ...more]);
  });

  private readonly whenClause: Rule<Expr> = this.RULE("whenClause", (): Expr => {
    this.CONSUME(T.When);
    return this.SUBRULE(this.condition);
  });

  private readonly unlessClause: Rule<Expr> = this.RULE("unlessClause", (): Expr => {
    this.CONSUME(T.Unless);
    return this.SUBRULE(this.condition);
  });

  private readonly clause: Rule<ClauseToken> = this.RULE("clause", (): ClauseToken => {
    const word = this.LA(1);
    const value = this.OR([
      { ALT: () => this.CONSUME(T.As) && this.CONSUME(T.AnyWord) },
      { ALT: () => this.CONSUME(T.Because) && this.CONSUME(T.Text) },
      { ALT: () => this.CONSUME(T.Owner) && this.CONSUME1(T.AnyWord) },
      { ALT: () => this.CONSUME(T.Until) && this.CONSUME(T.Quantity) },
      { ALT: () => this.CONSUME(T.Status) && this.CONSUME1(T.Quantity) },
    ]);
    return { word, value };
  });
}
