// The routes that show the API's own document.
import { z } from "zod";
import { openApiDocument } from "./openapi.ts";
import { PAGE_HEADERS, referencePage } from "./reference-page.ts";
import { type ApiRoute, type RouteSet, route } from "./route.ts";

const JSON_HEADERS = { "content-type": "application/json; charset=utf-8" };

/** `GET /openapi.json` and the page that shows it. They are open: they hold nothing of this gateway's own. */
export function documentRoutes(all: () => readonly RouteSet[], version: string): readonly ApiRoute[] {
  let made: { readonly json: string; readonly page: string } | null = null;
  // Made when first asked for, and once: whoever can reach the listener may ask, and it blocks for milliseconds.
  const shown = () => {
    if (made !== null) return made;
    const document = openApiDocument(all(), version);
    made = { json: JSON.stringify(document), page: referencePage(document) };
    return made;
  };
  return [
    route({
      ...{ method: "GET", path: "/openapi.json", operationId: "openApi", access: "open" },
      summary: "The OpenAPI 3.1 document of this API",
      replies: { 200: { description: "The document.", schema: z.record(z.string(), z.unknown()) } },
      handle: () => ({ status: 200, body: shown().json, headers: JSON_HEADERS }),
    }),
    route({
      ...{ method: "GET", path: "/docs", operationId: "referencePage", access: "open" },
      summary: "The reference page: the document for people, without scripts or anything from elsewhere",
      replies: { 200: { description: "HTML." } },
      handle: () => ({ status: 200, body: shown().page, headers: PAGE_HEADERS }),
    }),
  ];
}
