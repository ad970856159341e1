// Imports plugin files from anywhere on disk, and makes `tollgate/plugin` in them mean this very process's contract.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

/** Source or build: whatever this file is itself. */
const CONTRACT = new URL(import.meta.url.endsWith(".ts") ? "./plugin.ts" : "./plugin.js", import.meta.url).href;
/** Asks the hook to resolve a package from another folder than this file's. */
const FROM = /^tollgate-from:([^:]+):(.+)$/;

let registered = false;

/**
 * The module at an absolute path, or the package as the folder `from` sees it.
 * @throws what Node throws: the module is not there, is not JavaScript, or fails while it runs
 */
export function importPlugin(use: string, from: string): Promise<Record<string, unknown>> {
  registerOnce();
  if (use.startsWith("/")) return import(pathToFileURL(use).href);
  const base = pathToFileURL(`${from}/`).href;
  return import(`tollgate-from:${encodeURIComponent(base)}:${use}`);
}

function registerOnce(): void {
  if (registered) return;
  registered = true;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === "tollgate/plugin") return { url: CONTRACT, shortCircuit: true };
      const [, base, name] = FROM.exec(specifier) ?? [];
      if (base === undefined || name === undefined) return next(specifier, context);
      return next(name, { ...context, parentURL: decodeURIComponent(base) });
    },
  });
}
