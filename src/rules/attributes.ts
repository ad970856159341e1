// What an attribute is, and how one is read. The table itself is attribute-table.ts.
import type { Call, Principal, Target } from "../types.ts";
import type { Names, Vocabulary } from "./catalogue.ts";
import type { Bound, Fact, Facts } from "./facts.ts";
import type { LocalTime, Zone } from "./local-time.ts";

/** What an attribute's value is; numbers are in the literal's unit of the same name (see literal.ts). */
export type ValueType =
  | "name"
  | "bool"
  | "number"
  | "money"
  | "price"
  | "percent"
  | "tokens"
  | "bytes"
  | "duration"
  | "ip"
  | "time"
  | "date"
  | "weekday";

/** How an attribute is read, by what fixes its value. */
type Reader =
  | { readonly fixedBy: "model"; readonly outside?: undefined; read(target: Target): Fact }
  | { readonly fixedBy: "key"; readonly outside?: undefined; read(principal: Principal): Fact }
  | { readonly fixedBy: "request"; readonly outside?: undefined; read(call: Call, target: Target, param: string): Fact }
  | {
      readonly fixedBy: "now";
      readonly outside?: undefined;
      read(local: LocalTime, nowMs: number, principal: Principal): Fact;
    }
  /** Read by others (see outside-attributes.ts). What model or key fix is read before there is a call. */
  | { readonly fixedBy: "model" | "key" | "request" | "now"; readonly outside: (facts: Bound | Facts) => Fact };

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
  /** Someone or something with an alias and an id: its value is both. */
  readonly isSubject?: boolean;
  /** The same as a percentage: what it is read as when it is compared with one. */
  readonly share?: Attribute;
  /** Known values: `closed` ones are all there is, others only draw a warning. */
  readonly known?: { readonly closed: boolean; values(vocabulary: Vocabulary): Names };
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
  if (attribute.outside !== undefined) return attribute.outside(bound);
  if (attribute.fixedBy === "model") return attribute.read(bound.target);
  if (attribute.fixedBy === "key") return attribute.read(bound.principal);
  throw new Error(`${attribute.name} is not fixed by model or key`);
}

/** Reads any attribute. Of a described request, what others read is what is given of it, else unknown. */
export function readFact(ref: AttributeRef, facts: Facts): Fact {
  const { attribute } = ref;
  if (facts.unrecorded?.(ref, facts.target) === true) return undefined;
  if (attribute.outside !== undefined) {
    return facts.given === undefined ? attribute.outside(facts) : facts.given.get(attribute.name);
  }
  if (attribute.fixedBy === "request") return attribute.read(facts.call, facts.target, ref.param ?? "");
  if (attribute.fixedBy === "now") return attribute.read(ref.zone.at(facts.nowMs), facts.nowMs, facts.principal);
  return readBound(ref, facts);
}

/** Whether model and key alone fix an attribute. */
export function isBound(attribute: Attribute): boolean {
  return attribute.fixedBy === "model" || attribute.fixedBy === "key";
}
