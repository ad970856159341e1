// Folders for a test: as many as it wants, gone when it ends.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";

const roots = new WeakMap<Test, string>();

/** A new, empty folder. `t.testdir()` has one for each test and empties it at each call. */
export function newFolder(t: Test): string {
  const root = roots.get(t) ?? t.testdir({});
  roots.set(t, root);
  return mkdtempSync(join(root, "folder-"));
}
