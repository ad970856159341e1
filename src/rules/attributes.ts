// What an attribute is, and how one is read. The table itself is attribute-table.ts.
import type { Call, Principal, Target } from "../types.ts";
import type { Vocabulary } from "./catalogue.ts";
import type { Bound, Fact, Facts } from "./facts.ts";
import type { LocalTime, Zone } from "./local-time.ts";

/** What an attribute's value is; numbers are in the literal's unit of the same name (see literal.ts). */
export type ValueType =
  | "name"
  | "bool"
  | "number"
  | "price"
  | "tokens"
  | "bytes"
  | "duration"
  | "ip"
  | "time"
  | "date"
  | "weekday";

/** How an attribute is read, by what fixes its value. */
type Reader =
  | { readonly fixedBy: "model"; read(target: Target): Fact }
  | { readonly fixedBy: "key"; read(principal: Principal): Fact }
  | { readonly fixedBy: "request"; read(call: Call, target: Target, param: string): Fact }
  | { readonly fixedBy: "now"; read(local: LocalTime, nowMs: number, principal: Principal): Fact };

/** One attribute of the language. */
export type Attribute = Reader & {
  readonly name: string;
  readonly type: ValueType;
  /** One line for the README. */
  readonly note: string;
  /** Takes a text in brackets, as `header["x"]`. */
  readonly takesParam?: boolean;
  /** May be unset or unknown, so that `is set` makes sense. */
  readonly mayLack?: boolean;
  /** The values that a caller can choose to leave out: a deny on them can be dodged. */
  readonly optional?: boolean;
  /** Known values: `closed` ones are all there is, others only draw a warning. */
  readonly known?: { readonly closed: boolean; values(vocabulary: Vocabulary): ReadonlySet<string> };
};

/** An attribute as a rule names it. */
export interface AttributeRef {
  readonly attribute: Attribute;
  /** The text in `header["x"]`, in lower case for headers; null for attributes without one. */
  readonly param: string | null;
  /** As written. */
  readonly text: string;
  /** The time zone of the file that the rule stands in. */
  readonly zone: Zone;
}

/** Reads an attribute that model or key fix. */
export function readBound(ref: AttributeRef, bound: Bound): Fact {
  const { attribute } = ref;
  if (attribute.fixedBy === "model") return attribute.read(bound.target);
  if (attribute.fixedBy === "key") return attribute.read(bound.principal);
  throw new Error(`${attribute.name} is not fixed by model or key`);
}

/** Reads any attribute. */
export function readFact(ref: AttributeRef, facts: Facts): Fact {
  const { attribute } = ref;
  if (facts.unrecorded?.(ref, facts.target) === true) return undefined;
  if (attribute.fixedBy === "request") return attribute.read(facts.call, facts.target, ref.param ?? "");
  if (attribute.fixedBy === "now") return attribute.read(ref.zone.at(facts.nowMs), facts.nowMs, facts.principal);
  return readBound(ref, facts);
}

/** Whether model and key alone fix an attribute. */
export function isBound(attribute: Attribute): boolean {
  return attribute.fixedBy === "model" || attribute.fixedBy === "key";
}
