// How large a prompt is: the bytes of its text, and the images and files that no bytes tell the size of.
import type { Call, JsonObject } from "../types.ts";
import { isObject } from "./wire-format.ts";

/** A prompt's parts. */
export interface PromptSize {
  /** Bytes of the body without the media in it. A token is at least one byte, so it is also the most text tokens. */
  readonly textBytes: number;
  readonly images: number;
  /** PDFs and files by id or address. */
  readonly files: number;
}

/** Measures a request's prompt; its messages and what they hold, in either format. */
export function promptSize({ body, json }: Pick<Call, "body" | "json">): PromptSize {
  const size = { textBytes: body.length, images: 0, files: 0 };
  if (Array.isArray(json.messages)) for (const message of json.messages) measureContent(message, size, 0);
  return size;
}

type Tally = { -readonly [name in keyof PromptSize]: PromptSize[name] };

/** Contents nest: a message's parts, a tool result's parts, a document's parts. */
const NESTING_MAX = 4;

function measureContent(holder: unknown, size: Tally, depth: number): void {
  if (depth > NESTING_MAX || !isObject(holder) || !Array.isArray(holder.content)) return;
  for (const part of holder.content) {
    if (isObject(part)) measurePart(part, size);
    measureContent(part, size, depth + 1);
  }
}

function measurePart(part: JsonObject, size: Tally): void {
  if (part.type === "image_url") addMedia(size, "images", media(part.image_url, "url"));
  else if (part.type === "file") addMedia(size, "files", media(part.file, "file_data"));
  else if (part.type === "image") addMedia(size, "images", media(part.source, "data"));
  else if (part.type === "container_upload") addMedia(size, "files", "");
  else if (part.type === "document" && isObject(part.source)) {
    if (part.source.type === "content") measureContent(part.source, size, 1);
    else if (part.source.type !== "text") addMedia(size, "files", media(part.source, "data"));
  }
}

function media(holder: unknown, name: string): string {
  const value = isObject(holder) ? holder[name] : holder;
  return typeof value === "string" ? value : "";
}

function addMedia(size: Tally, kind: "images" | "files", text: string): void {
  size[kind] += 1;
  size.textBytes -= text.length;
}

/** A usual image is some 1,500 tokens, a usual file some 10,000; text has about 4 bytes a token. */
const IMAGE_BYTES = 1_500 * 4;
const FILE_BYTES = 10_000 * 4;

/**
 * A prompt's size in bytes of text, with usual sizes for its images and files: what an estimate of its tokens starts
 * from. A photograph in the body would else count as a million tokens.
 */
export function promptBytes(call: Pick<Call, "body" | "json">): number {
  const { textBytes, images, files } = promptSize(call);
  return textBytes + images * IMAGE_BYTES + files * FILE_BYTES;
}
