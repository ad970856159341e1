// Which keys a zod schema knows at a path, for did-you-mean.
import type { z } from "zod";

/** The loosely typed part of a zod 4 definition that is walked here. */
interface Definition {
  readonly type: string;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
}

/** The keys of the object (or of all a union's objects) at the path; none when there is no object. */
export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  return [...new Set(objectsAt(schema, path).flatMap((shape) => Object.keys(shape)))];
}

function objectsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): Readonly<Record<string, z.core.$ZodType>>[] {
  const definition = schema._zod.def as unknown as Definition;
  const inner = definition.innerType ?? definition.in;
  if (inner !== undefined) return objectsAt(inner, path);
  if (definition.options !== undefined) return definition.options.flatMap((option) => objectsAt(option, path));
  const [step, ...rest] = path;
  if (step === undefined) return definition.shape === undefined ? [] : [definition.shape];
  const next = definition.shape?.[String(step)] ?? definition.valueType ?? definition.element;
  return next === undefined ? [] : objectsAt(next, rest);
}
