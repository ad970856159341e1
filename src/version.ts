// This package's version.
import { readFileSync } from "node:fs";

/** From the package.json beside `src`, or above `dist/src`. */
export function version(): string {
  const above = import.meta.url.endsWith(".ts") ? "../package.json" : "../../package.json";
  const manifest = JSON.parse(readFileSync(new URL(above, import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}
