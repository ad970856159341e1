// The models that exist, whoever serves them here: what tells a model that is not served from one misspelt.
import { openPriceBook } from "./price-book.ts";

/** Providers with models of their own; those that resell others' add no names. */
const MAKERS = ["openai", "anthropic", "google", "mistral", "x-ai", "deepseek", "cohere"];

/** Canonical ids and spellings from the bundled price lists. @param nowMs wall clock, as for prices */
export function listedModels(nowMs: number): ReadonlySet<string> {
  const books = MAKERS.map((name) => openPriceBook({ name }, nowMs));
  return new Set(books.flatMap((book) => book?.models ?? []).flatMap(({ spellings }) => spellings));
}
