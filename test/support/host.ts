// A plugin's host with the parts that a test gives it; the rest throws when it is used.
import pino from "pino";
import type { Host, RequestStore } from "../../src/plugin.ts";

/** A request table that keeps nothing. */
export const noRequests: RequestStore = {
  append: () => undefined,
  usage: () => [],
  decided: () => [],
  find: () => null,
  ruleHits: () => new Map(),
  list: () => [],
  spend: () => new Map(),
};

/** A host of which only the given parts work. */
export function fakeHost(parts: Partial<Host> = {}): Host {
  const log = pino({ level: "silent" });
  return new Proxy({ log, ...parts } as Host, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name);
      throw new Error(`the plugin uses host.${String(name)}, which this test does not give it`);
    },
  });
}
