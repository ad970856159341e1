// The grammar's lower part: values, lists and selectors, and the helpers of all parts.
import { EmbeddedActionsParser, type IToken, type ParserMethod } from "chevrotain";
import type { ListNode, NameNode, SelectorNode, Span, Value } from "./ast.ts";
import { EXPECTED, lateBy, noSubject, tooDeep } from "./mistakes.ts";
import { literalValue, nameNode, textValue, wordValue } from "./nodes.ts";
import { type RuleSyntaxError, spanOf } from "./syntax-error.ts";
import * as T from "./tokens.ts";

/** Brackets and `not` may nest this deep. */
const DEPTH_MAX = 64;

export type Rule<Result> = ParserMethod<[], Result>;
export type ValueOrList = Value | ListNode | NameNode;

/**
 * Values, lists and selectors. Rule names avoid the parser's own methods (`or`, `option`, `many`); what an action
 * computes from tokens runs inside `ACTION`, since chevrotain first records each rule with stand-in tokens.
 */
export class ValueGrammar extends EmbeddedActionsParser {
  protected depth = 0;
  /** The rule that is read is a `limit` or `budget`. */
  protected counting = false;

  constructor() {
    super(T.TOKENS, { recoveryEnabled: false, maxLookahead: 2, skipValidations: true, errorMessageProvider: EXPECTED });
  }

  protected readonly value: Rule<Value> = this.RULE(
    "value",
    (): Value =>
      this.OR([
        { ALT: () => wordValue(this.CONSUME(T.NameWord)) },
        { ALT: () => this.make(textValue, this.CONSUME(T.Text)) },
        { ALT: () => this.make(literalValue, this.CONSUME(T.Quantity)) },
      ]),
  );

  /** Inside a list every word is a value, connectives too. */
  private readonly listItem: Rule<Value> = this.RULE(
    "listItem",
    (): Value =>
      this.OR([
        { ALT: () => wordValue(this.CONSUME(T.AnyWord)) },
        { ALT: () => this.make(textValue, this.CONSUME(T.Text)) },
        { ALT: () => this.make(literalValue, this.CONSUME(T.Quantity)) },
      ]),
  );

  protected readonly listing: Rule<ListNode> = this.RULE("listing", (): ListNode => {
    const start = this.CONSUME(T.LBracket);
    const items: Value[] = [this.SUBRULE(this.listItem)];
    this.MANY({
      GATE: () => this.LA(2).tokenType !== T.RBracket,
      DEF: () => {
        this.CONSUME(T.Comma);
        items.push(this.SUBRULE1(this.listItem));
      },
    });
    this.OPTION(() => this.CONSUME1(T.Comma));
    this.CONSUME(T.RBracket);
    return { kind: "list", items, span: this.spanFrom(start) };
  });

  protected readonly valueOrList: Rule<ValueOrList> = this.RULE(
    "valueOrList",
    (): ValueOrList =>
      this.OR([
        { ALT: () => this.SUBRULE(this.listing) },
        { ALT: () => nameNode(this.CONSUME(T.Name)) },
        { ALT: () => this.SUBRULE(this.value) },
      ]),
  );

  protected readonly selector: Rule<SelectorNode> = this.RULE("selector", (): SelectorNode => {
    const subject = this.OR([
      { ALT: () => this.CONSUME(T.Subject) },
      { ALT: () => this.refuse(this.counting ? lateBy : noSubject, this.CONSUME(T.Word)) },
    ]);
    const negated = this.OPTION(() => this.CONSUME(T.Not)) !== undefined;
    const operand = this.SUBRULE(this.valueOrList);
    return { kind: "selector", subject: subject.image, negated, operand, span: this.spanFrom(subject) };
  });

  protected readonly selectors: Rule<SelectorNode[]> = this.RULE("selectors", (): SelectorNode[] => {
    const all: SelectorNode[] = [];
    this.MANY(() => all.push(this.SUBRULE(this.selector)));
    return all;
  });

  /** From a token to the end of the last token consumed. */
  protected spanFrom(start: IToken): Span {
    return this.ACTION(() => ({ start: spanOf(start).start, end: spanOf(this.LA(0)).end }));
  }

  /** Makes a node from a token, once the parser is no longer recording. */
  protected make<Node>(make: (token: IToken) => Node, token: IToken): Node {
    return this.ACTION(() => make(token));
  }

  /** Ends the parse with a mistake that has its own message. */
  protected refuse(mistake: (token: IToken) => RuleSyntaxError, token: IToken): never {
    return this.ACTION(() => {
      throw mistake(token);
    }) as never;
  }

  /** Goes one level down. @throws {RuleSyntaxError} E112. */
  protected deeper(): void {
    this.depth += 1;
    this.ACTION(() => {
      if (this.depth > DEPTH_MAX) throw tooDeep(this.LA(1), DEPTH_MAX);
    });
  }
}
