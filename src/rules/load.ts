// Reads rule files from disk.
import type { Dirent, Stats } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { type Snapshot, snapshotOf, type Unreadable } from "./build.ts";
import type { Source } from "./source.ts";

/** Bytes of one rule file. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Files may vanish between listing and reading (an atomic save): so many listings are tried. */
const LISTINGS_MAX = 3;
const EXTENSION = ".rules";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads every `*.rules` file of a directory and its sub-directories; names that start with a dot are skipped.
 * What cannot be read is in `unreadable`: nothing throws.
 *
 * @param label how reports call a file; its name relative to the directory's parent when left out.
 */
export async function readDirectory(directory: string, label?: (path: string) => string): Promise<Snapshot> {
  const root = resolve(directory);
  for (let listing = 1; ; listing += 1) {
    try {
      return await readFiles(await filesIn(root), label, dirname(root));
    } catch (error) {
      if (listing < LISTINGS_MAX && codeOf(error) === "ENOENT" && (await isDirectory(root))) continue;
      return snapshotOf([], [{ name: basename(root), reason: reasonOf(error) }]);
    }
  }
}

/** Reads files by path; each is named relative to `base`, else to its directory's parent. @throws when one is missing. */
export async function readFiles(
  paths: readonly string[],
  label?: (path: string) => string,
  base?: string,
): Promise<Snapshot> {
  const sources: Source[] = [];
  const unreadable: Unreadable[] = [];
  for (const path of paths) {
    const name = relative(base ?? dirname(dirname(resolve(path))), resolve(path)).replaceAll(sep, "/");
    const read = await readText(path);
    if ("text" in read) sources.push({ name, label: label?.(path) ?? name, text: read.text });
    else unreadable.push({ name: label?.(path) ?? name, reason: read.reason });
  }
  sources.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return snapshotOf(sources, unreadable);
}

/** The rule files under a directory. @throws when it is missing or cannot be listed. */
async function filesIn(directory: string): Promise<string[]> {
  const entries: Dirent[] = await readdir(directory, { withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) files.push(...(await filesIn(path)));
    else if (entry.name.endsWith(EXTENSION)) files.push(path);
  }
  return files;
}

/** Decodes strictly: a byte that is not UTF-8 makes the file unreadable. A byte order mark is dropped. */
async function readText(path: string): Promise<{ text: string } | { reason: string }> {
  try {
    const facts: Stats = await stat(path);
    if (!facts.isFile()) return { reason: "this is not a file" };
    if (facts.size > FILE_BYTES_MAX) return { reason: `the file is larger than ${FILE_BYTES_MAX / 1024 / 1024} MiB` };
    const bytes = await readFile(path);
    return { text: utf8.decode(bytes) };
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw error;
    return {
      reason: codeOf(error) === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "the file is not UTF-8" : reasonOf(error),
    };
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOENT":
      return "the rules directory does not exist, or a link in it leads nowhere";
    case "ENOTDIR":
      return "this is not a directory";
    case "EACCES":
      return "permission denied";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
