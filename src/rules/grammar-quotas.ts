// The grammar of what `limit` and `budget` count: taken loosely, so that quota-clause.ts can say what is wrong.
import type { AttributeNode } from "./ast.ts";
import { TestGrammar } from "./grammar-tests.ts";
import type { Rule } from "./grammar-values.ts";
import { type Counted, readCounted } from "./quota-clause.ts";
import * as T from "./tokens.ts";

/** `limit 100 requests per 1m [by …]`, `limit 8 concurrent [by …]`, `budget $500 per month [by …]`. */
export class QuotaGrammar extends TestGrammar {
  protected readonly counted: Rule<Counted> = this.RULE("counted", (): Counted => {
    const word = this.OR([{ ALT: () => this.CONSUME(T.Limit) }, { ALT: () => this.CONSUME(T.Budget) }]);
    this.counting = true;
    const amount = this.OPTION(() => this.CONSUME(T.Quantity));
    const unit = this.OPTION1({ GATE: () => this.unitStands(), DEF: () => this.CONSUME(T.Word) });
    const per = this.OPTION2({ GATE: () => this.LA(1).image === "per", DEF: () => this.CONSUME1(T.Word) });
    const period = this.OPTION3({
      GATE: () => per !== undefined && this.LA(1).image !== "by",
      DEF: () => this.OR1([{ ALT: () => this.CONSUME1(T.Quantity) }, { ALT: () => this.CONSUME2(T.Word) }]),
    });
    const by = this.OPTION4({ GATE: () => this.LA(1).image === "by", DEF: () => this.SUBRULE(this.byClause) }) ?? [];
    return this.ACTION(() => readCounted({ word, amount, unit, per, period }, by));
  });

  private readonly byClause: Rule<AttributeNode[]> = this.RULE("byClause", (): AttributeNode[] => {
    const all: AttributeNode[] = [];
    this.CONSUME(T.Word);
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => all.push(this.SUBRULE(this.attribute)) });
    return all;
  });

  private unitStands(): boolean {
    return this.LA(1).image !== "per" && this.LA(1).image !== "by";
  }
}
