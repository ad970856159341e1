// The grammar's middle part: what stands after `when` and `unless`.
import { tokenMatcher } from "chevrotain";
import type { AttributeNode, Comparison, Expr, Operand, Span } from "./ast.ts";
import { type Rule, ValueGrammar } from "./grammar-values.ts";
import { listed, nameNode, textOf } from "./nodes.ts";
import * as T from "./tokens.ts";

/** A comparison that still lacks its attribute. */
type Rest = (attribute: AttributeNode, span: Span) => Expr;

/** Conditions: `or` over `and` over `not` over comparisons, selectors and `@names`. */
export class ConditionGrammar extends ValueGrammar {
  protected readonly condition: Rule<Expr> = this.RULE("condition", (): Expr => {
    const parts: Expr[] = [];
    this.deeper();
    this.AT_LEAST_ONE_SEP({ SEP: T.Or, DEF: () => parts.push(this.SUBRULE(this.conjunction)) });
    this.depth -= 1;
    return this.ACTION(() => listed("or", parts));
  });

  private readonly conjunction: Rule<Expr> = this.RULE("conjunction", (): Expr => {
    const parts: Expr[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: T.And, DEF: () => parts.push(this.SUBRULE(this.negation)) });
    return this.ACTION(() => listed("and", parts));
  });

  private readonly negation: Rule<Expr> = this.RULE(
    "negation",
    (): Expr =>
      this.OR([
        { ALT: () => this.SUBRULE(this.opposite) },
        { ALT: () => this.SUBRULE(this.bracketed) },
        { ALT: () => nameNode(this.CONSUME(T.Name)) },
        { GATE: () => this.subjectHasValue(), ALT: () => this.SUBRULE(this.selector) },
        { ALT: () => this.SUBRULE(this.comparison) },
      ]),
  );

  private readonly opposite: Rule<Expr> = this.RULE("opposite", (): Expr => {
    const start = this.CONSUME(T.Not);
    this.deeper();
    const part = this.SUBRULE(this.negation);
    this.depth -= 1;
    return { kind: "not", part, span: this.spanFrom(start) };
  });

  private readonly bracketed: Rule<Expr> = this.RULE("bracketed", (): Expr => {
    this.CONSUME(T.LParen);
    const inner = this.SUBRULE(this.condition);
    this.CONSUME(T.RParen);
    return inner;
  });

  private readonly comparison: Rule<Expr> = this.RULE("comparison", (): Expr => {
    const start = this.LA(1);
    const attribute = this.SUBRULE(this.attribute);
    const rest = this.OPTION(() =>
      this.OR([
        { ALT: () => this.SUBRULE(this.ordering) },
        { ALT: () => this.SUBRULE(this.membership) },
        { ALT: () => this.SUBRULE(this.isSet) },
      ]),
    );
    return this.ACTION(() => {
      const span = this.spanFrom(start);
      return rest?.(attribute, span) ?? { kind: "bare", attribute, span };
    });
  });

  private readonly ordering: Rule<Rest> = this.RULE("ordering", (): Rest => {
    const sign = this.OR([
      { ALT: () => this.CONSUME(T.Equal) },
      { ALT: () => this.CONSUME(T.NotEqual) },
      { ALT: () => this.CONSUME(T.AtMost) },
      { ALT: () => this.CONSUME(T.AtLeast) },
      { ALT: () => this.CONSUME(T.Less) },
      { ALT: () => this.CONSUME(T.Greater) },
    ]);
    const operand = this.SUBRULE(this.value);
    const negated = sign.tokenType === T.NotEqual;
    const op = negated || sign.tokenType === T.Equal ? "=" : (sign.image as Comparison);
    return (attribute, span) => ({ kind: "compare", attribute, op, negated, operand, span });
  });

  private readonly membership: Rule<Rest> = this.RULE("membership", (): Rest => {
    const negated = this.OPTION(() => this.CONSUME(T.Not)) !== undefined;
    return this.OR([
      {
        ALT: (): Rest => {
          this.CONSUME(T.In);
          const operand = this.SUBRULE(this.inOperand);
          return (attribute, span) => ({ kind: "compare", attribute, op: "in", negated, operand, span });
        },
      },
      {
        ALT: (): Rest => {
          this.CONSUME(T.Has);
          const operand = this.SUBRULE(this.value);
          return (attribute, span) => ({ kind: "compare", attribute, op: "has", negated, operand, span });
        },
      },
    ]);
  });

  private readonly isSet: Rule<Rest> = this.RULE("isSet", (): Rest => {
    this.CONSUME(T.Is);
    const word = this.OR([{ ALT: () => this.CONSUME(T.SetWord) }, { ALT: () => this.CONSUME(T.Unset) }]);
    const negated = word.tokenType === T.Unset;
    return (attribute, span) => ({ kind: "is-set", attribute, negated, span });
  });

  protected readonly attribute: Rule<AttributeNode> = this.RULE("attribute", (): AttributeNode => {
    const word = this.CONSUME(T.NameWord);
    const param = this.OPTION(() => {
      this.CONSUME(T.LBracket);
      const key = this.CONSUME(T.Text);
      this.CONSUME(T.RBracket);
      return key;
    });
    const span = this.spanFrom(word);
    return this.ACTION(() => ({ name: word.image, param: param === undefined ? null : textOf(param), span }));
  });

  private readonly inOperand: Rule<Operand> = this.RULE("inOperand", (): Operand => {
    const low = this.SUBRULE(this.valueOrList);
    const high = this.OPTION(() => {
      this.CONSUME(T.Dots);
      return this.SUBRULE(this.value);
    });
    if (high === undefined || low.kind === "list" || low.kind === "name") return low;
    return this.ACTION(() => ({ kind: "range", low, high, span: { start: low.span.start, end: high.span.end } }));
  });

  /** Tells `team ml` and `team not ml` from `team = ml`, `team in …` and `team not in …`. */
  private subjectHasValue(): boolean {
    if (!tokenMatcher(this.LA(1), T.Subject)) return false;
    const negated = this.LA(2).tokenType === T.Not;
    const next = negated ? this.LA(3) : this.LA(2);
    if (negated) return next.tokenType !== T.In && next.tokenType !== T.Has;
    return [T.NameWord, T.Text, T.Quantity, T.Name, T.LBracket].some((type) => tokenMatcher(next, type));
  }
}
