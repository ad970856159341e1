// A plugin's host with the parts that a test gives it; the rest throws when it is used.
import pino from "pino";
import type { Host } from "../../src/plugin.ts";

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
