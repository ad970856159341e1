// What checking a statement comes to beside its tree: findings and uses of names in order, and what they depend on.
import type { Span } from "./ast.ts";
import type { Attribute } from "./attributes.ts";
import type { Names } from "./catalogue.ts";
import type { Place } from "./check-context.ts";
import type { Code } from "./diagnostics.ts";

/** A finding, or that an `@name` was used. */
export type Remark =
  | {
      readonly place: Place;
      readonly span: Span;
      readonly code: Code;
      readonly message: string;
      readonly help: string | null;
    }
  | {
      readonly use: string;
      /** What was found about the name's own condition is told with its first use. */
      readonly tells: boolean;
    };

/** The log of one statement. */
export class CheckLog {
  readonly remarks: Remark[] = [];
  /** What each name stood for, in order of use. */
  readonly lets: (readonly [name: string, meaning: object])[] = [];
  /** The known values that were looked at. */
  readonly values: (readonly [Attribute, Names])[] = [];
  /** False when it depends on more than this: on the moment, or on what other statements were told. */
  isKept = true;
}
