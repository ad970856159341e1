// The config's reference, made from the schema: a Markdown table for people, a JSON Schema for editors.
import { z } from "zod";
import { ConfigSchema } from "./schema.ts";

/** The part of a JSON Schema node that the table is made from. */
interface Node {
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly additionalProperties?: Node | boolean;
}

/** JSON Schema (2020-12) of the file as it is written. */
export function configJsonSchema(): object {
  return { ...z.toJSONSchema(ConfigSchema, { io: "input" }), title: "tollgate.yaml" };
}

/** A Markdown table of every key, in the schema's order: key, default, meaning. */
export function configReference(): string {
  const rows = rowsOf(configJsonSchema() as Node, "");
  return ["| key | default | meaning |", "|---|---|---|", ...rows].join("\n");
}

function rowsOf(node: Node, prefix: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    const nested = childrenOf(child, path);
    if (child.description === undefined) return nested;
    const own = `| \`${path}\` | ${defaultText(child, node.required?.includes(name) === true)} | ${meaning(child)} |`;
    return [own, ...nested];
  });
}

/** A list's items are `path[]`, a map's values `path.NAME`. */
function childrenOf(node: Node, path: string): string[] {
  const inItems = node.items === undefined ? [] : objectsOf(node.items).flatMap((item) => rowsOf(item, `${path}[]`));
  const values = typeof node.additionalProperties === "object" ? rowsOf(node.additionalProperties, `${path}.NAME`) : [];
  const inUnion = (node.anyOf ?? []).flatMap((branch) => rowsOf(branch, path));
  return [...rowsOf(node, path), ...inUnion, ...inItems, ...values];
}

function objectsOf(node: Node): readonly Node[] {
  return node.anyOf ?? [node];
}

function defaultText(node: Node, required: boolean): string {
  if (required) return "required";
  if (node.default === undefined) return "";
  return `\`${typeof node.default === "string" ? node.default : JSON.stringify(node.default).replaceAll('"', "")}\``;
}

function meaning(node: Node): string {
  const choices = node.enum?.map((value) => `\`${String(value)}\``).join(", ");
  return `${node.description ?? ""}${choices === undefined ? "" : ` One of ${choices}.`}`.replaceAll("|", "\\|");
}
