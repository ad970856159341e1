// The grammar of `test` blocks.
import type { ExpectNode, GivenNode, IdNode, ListNode, TestNode, Value } from "./ast.ts";
import { ConditionGrammar } from "./grammar-conditions.ts";
import type { Rule } from "./grammar-values.ts";
import { textOf } from "./nodes.ts";
import { spanOf } from "./syntax-error.ts";
import * as T from "./tokens.ts";

/** `test "…" [at MOMENT] { given … expect … }`. */
export class TestGrammar extends ConditionGrammar {
  protected readonly testBlock: Rule<TestNode> = this.RULE("testBlock", (): TestNode => {
    const given: GivenNode[][] = [];
    const expects: ExpectNode[] = [];
    const start = this.CONSUME(T.Test);
    const name = this.CONSUME(T.Text);
    const at = this.OPTION({
      GATE: () => this.LA(1).image === "at",
      DEF: () => {
        this.CONSUME(T.Word);
        return this.CONSUME(T.Quantity);
      },
    });
    this.CONSUME(T.LBrace);
    this.MANY(() =>
      this.OR([
        { ALT: () => this.CONSUME(T.Newline) },
        { ALT: () => given.push(this.SUBRULE(this.givenLine)) },
        { ALT: () => expects.push(this.SUBRULE(this.expectLine)) },
      ]),
    );
    this.CONSUME(T.RBrace);
    return this.ACTION(() => ({
      kind: "test",
      name: textOf(name),
      nameSpan: spanOf(name),
      at: at === undefined ? null : { text: at.image, span: spanOf(at) },
      given: given.flat(),
      expects,
      span: this.spanFrom(start),
    }));
  });

  private readonly givenLine: Rule<GivenNode[]> = this.RULE("givenLine", (): GivenNode[] => {
    const all: GivenNode[] = [];
    this.CONSUME(T.Given);
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => all.push(this.SUBRULE(this.givenFact)) });
    return all;
  });

  private readonly givenFact: Rule<GivenNode> = this.RULE("givenFact", (): GivenNode => {
    const word = this.CONSUME(T.NameWord);
    const param = this.OPTION({
      GATE: () => this.paramStands(),
      DEF: () => {
        this.CONSUME(T.LBracket);
        const key = this.CONSUME(T.Text);
        this.CONSUME(T.RBracket);
        return key;
      },
    });
    const nameSpan = this.spanFrom(word);
    const operand = this.SUBRULE(this.givenValue);
    const span = this.spanFrom(word);
    return this.ACTION(() => {
      const attribute = { name: word.image, param: param === undefined ? null : textOf(param), span: nameSpan };
      return { attribute, operand, span };
    });
  });

  private readonly givenValue: Rule<Value | ListNode> = this.RULE("givenValue", (): Value | ListNode =>
    this.OR([{ ALT: () => this.SUBRULE(this.listing) }, { ALT: () => this.SUBRULE(this.value) }]),
  );

  private readonly expectLine: Rule<ExpectNode> = this.RULE("expectLine", (): ExpectNode => {
    const by: IdNode[] = [];
    const start = this.CONSUME(T.Expect);
    const word = this.OR([{ ALT: () => this.CONSUME(T.Allow) }, { ALT: () => this.CONSUME(T.Deny) }]);
    this.OPTION({
      GATE: () => this.LA(1).image === "by",
      DEF: () => {
        this.CONSUME(T.Word);
        this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => by.push(this.SUBRULE(this.ruleId)) });
      },
    });
    const warn = this.OPTION1(() => {
      this.CONSUME(T.Warn);
      return this.SUBRULE1(this.ruleId);
    });
    const effect = word.tokenType === T.Allow ? "allow" : "deny";
    return { effect, by, warn: warn ?? null, span: this.spanFrom(start) };
  });

  private readonly ruleId: Rule<IdNode> = this.RULE("ruleId", (): IdNode => {
    const word = this.CONSUME(T.AnyWord);
    return { id: word.image, span: this.spanFrom(word) };
  });

  /** Tells `header["x"] prod` from `role ["x"]`: a value follows the brackets. */
  private paramStands(): boolean {
    const [open, text, close, next] = [this.LA(1), this.LA(2), this.LA(3), this.LA(4)].map((token) => token.tokenType);
    if (open !== T.LBracket || text !== T.Text || close !== T.RBracket || next === undefined) return false;
    return ![T.Comma, T.Newline, T.RBrace, T.Given, T.Expect].includes(next);
  }
}
