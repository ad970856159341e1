// Errors as SaaS LiteLLM tells them: one member, `detail`, with the words that its clients know.
import { type ApiProblem, detailText, type ErrorDialect, z } from "../../src/plugin.ts";

export const DETAIL: ErrorDialect = Object.freeze({
  schema: z.object({ detail: z.string() }),
  body: ({ code, message }: ApiProblem) => ({ detail: detailText(code, message) }),
});
