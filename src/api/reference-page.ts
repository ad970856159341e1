// The reference page of the API: one HTML file without scripts or anything from elsewhere.
import type { OpenApiDocument, OpenApiOperation } from "./openapi.ts";
import { type JsonSchema, schemaRows, typeText } from "./schema-table.ts";

/** What the page may load: nothing but its own style. */
export const PAGE_HEADERS = Object.freeze({
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
});

const STYLE = `
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{margin:0 auto;max-width:62rem;padding:1.5rem}
h1{margin:0}h2{margin:2.5rem 0 .25rem;border-bottom:1px solid #8884}
nav a{margin-right:1rem}
details{border:1px solid #8884;border-radius:6px;margin:.4rem 0;padding:.35rem .7rem}
summary{cursor:pointer}
code{font:13px/1.45 ui-monospace,monospace}
table{border-collapse:collapse;width:100%;font-size:14px}td{border-top:1px solid #8883;padding:.15rem .6rem .15rem 0;vertical-align:top}
.method{display:inline-block;min-width:4.2em;font-weight:600}
.GET{color:#18793b}.POST{color:#1658b8}.PUT,.PATCH{color:#96590a}.DELETE{color:#b3261e}
.quiet{opacity:.7}
`;

/** The page of the document. */
export function referencePage(document: OpenApiDocument): string {
  const info = document.info as { readonly title: string; readonly version: string; readonly description: string };
  const tags = document.tags as readonly { readonly name: string; readonly description: string }[];
  const links = tags.map(({ name }) => `<a href="#${escapeHtml(name)}">${escapeHtml(name)}</a>`).join("");
  const body = tags.map((tag) => sectionOf(tag, document)).join("");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(info.title)} API</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(info.title)} API <small class="quiet">${escapeHtml(info.version)}</small></h1>
<p>${escapeHtml(info.description)} The same as JSON: <a href="/openapi.json"><code>/openapi.json</code></a>.</p>
<nav>${links}</nav>${body}</body></html>
`;
}

function sectionOf({ name, description }: { name: string; description: string }, { paths }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { tags }]) => tags.includes(name))
      .map(([method, operation]) => operationOf(method.toUpperCase(), path, operation)),
  );
  return `<h2 id="${escapeHtml(name)}">${escapeHtml(name)}</h2><p>${escapeHtml(description)}</p>${operations.join("")}`;
}

function operationOf(method: string, path: string, operation: OpenApiOperation): string {
  const { operationId, summary, description, security, parameters, requestBody, responses } = operation;
  const asked = security.map((one) => Object.keys(one).join()).join(" or ") || "nothing";
  const parts = [
    `<p>${escapeHtml(description ?? "")} <span class="quiet">Asks for: ${escapeHtml(asked)}.</span></p>`,
    parameters.length === 0 ? "" : block("Parameters", parametersSchema(parameters)),
    requestBody === undefined ? "" : block("Body", schemaOf(requestBody)),
    ...Object.entries(responses).map(([status, answer]) =>
      block(`${status === "default" ? "Errors" : status}: ${answer.description}`, schemaOf(answer)),
    ),
  ];
  return `<details id="${escapeHtml(operationId)}"><summary><code><span class="method ${method}">${method}</span> ${escapeHtml(path)}</code>
<span class="quiet">${escapeHtml(summary)}</span></summary>${parts.join("")}</details>`;
}

/** The schema of the one type of content. */
function schemaOf({ content = {} }: { readonly content?: object }): JsonSchema | undefined {
  const [first] = Object.values(content) as { readonly schema?: JsonSchema }[];
  return first?.schema;
}

/** What a schema holds, as a table. */
function block(title: string, schema: JsonSchema | undefined): string {
  const rows = schema === undefined ? [] : schemaRows(schema);
  const type =
    schema === undefined || rows.length > 0 ? "" : ` <span class="quiet">${escapeHtml(typeText(schema))}</span>`;
  const lines = rows.map(
    ({ name, type, isRequired, note }) =>
      `<tr><td><code>${escapeHtml(name)}</code>${isRequired ? "" : ' <span class="quiet">optional</span>'}</td>` +
      `<td>${escapeHtml(type)}</td><td>${escapeHtml(note)}</td></tr>`,
  );
  return `<p>${escapeHtml(title)}${type}</p>${lines.length === 0 ? "" : `<table>${lines.join("")}</table>`}`;
}

/** Parameters, as the schema of an object. */
function parametersSchema(parameters: OpenApiOperation["parameters"]): JsonSchema {
  return {
    properties: Object.fromEntries(
      parameters.map(({ name, description, schema }) => [name, { ...schema, ...(description && { description }) }]),
    ),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
  };
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (letter) => entities[letter] ?? letter);
}
