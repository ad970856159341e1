// Schemas that other schemas refer to: in an OpenAPI document a reference leads from the document's root.

/** The document's part with its references mended, and what they lead to, for `components.schemas`. */
export interface Hoisted<Part> {
  readonly part: Part;
  readonly schemas: Readonly<Record<string, object>>;
}

type Definitions = Readonly<Record<string, object>>;

/** Moves the `$defs` of all schemas in the part to the components; those that are alike become one. */
export function hoistSchemas<Part extends object>(part: Part): Hoisted<Part> {
  const schemas: Record<string, object> = {};
  const names = new Map<string, string>();
  const mended = (value: object, definitions: Definitions): unknown => {
    let text = JSON.stringify(value);
    for (const local of Object.keys(definitions)) {
      const meant = `${local} of ${JSON.stringify(definitions)}`;
      const name = names.get(meant) ?? `Shared${names.size + 1}`;
      names.set(meant, name);
      text = text.replaceAll(`"#/$defs/${local}"`, `"#/components/schemas/${name}"`);
    }
    return JSON.parse(text);
  };
  const hoisted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(hoisted);
    if (typeof value !== "object" || value === null) return value;
    const { $defs, ...rest } = value as { readonly $defs?: Definitions };
    if ($defs === undefined) return Object.fromEntries(Object.entries(rest).map(([name, one]) => [name, hoisted(one)]));
    const whole = mended(rest, $defs);
    for (const [local, schema] of Object.entries($defs)) {
      const name = names.get(`${local} of ${JSON.stringify($defs)}`) ?? local;
      schemas[name] = mended(schema, $defs) as object;
    }
    return whole;
  };
  return { part: hoisted(part) as Part, schemas };
}
