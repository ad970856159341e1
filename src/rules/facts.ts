// What a decision knows, and the values that attributes have.
import type { Call, Principal, Target } from "../types.ts";
import type { AttributeRef } from "./attributes.ts";
import type { Ip } from "./ip.ts";

/** What model and key fix: enough for the part of a decision that is memoised. */
export interface Bound {
  readonly principal: Principal;
  readonly target: Target;
}

/** All that a decision knows. */
export interface Facts extends Bound {
  readonly call: Call;
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: number;
  /** Of a described request: the attributes that others would read, by name. Left out of a real one. */
  readonly given?: ReadonlyMap<string, Fact>;
  /** For a request that is restored from its record. */
  readonly unrecorded?: Unrecorded | undefined;
}

/** Whether an attribute's value was not recorded: then it is unknown. */
export type Unrecorded = (ref: AttributeRef, target: Target) => boolean;

/** An attribute's value: null is unset (equal to no name), undefined is unknown (a fact that the gateway lacks). */
export type Fact = string | readonly string[] | number | boolean | Ip | null | undefined;

/** Three-valued truth, ordered so that `and` is the smaller and `or` the larger. */
export type Tri = 0 | 1 | 2;
export const NO = 0;
export const UNKNOWN = 1;
export const YES = 2;

export function negate(tri: Tri): Tri {
  return (2 - tri) as Tri;
}
