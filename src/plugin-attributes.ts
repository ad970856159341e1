// The attributes that plugins register: what they declare, and the readers that their set-up hooks bring for them.
import type { LoadedPlugin } from "./plugin-load.ts";
import type { Registry } from "./registry.ts";
import type { Attribute } from "./rules/attributes.ts";
import { outsideAttribute } from "./rules/outside-attributes.ts";

/** What the plugins declare, with nobody to read it: for checking rules where nothing is served. */
export function declaredAttributes(loaded: readonly LoadedPlugin[]): Attribute[] {
  return loaded.flatMap(({ plugin }) => (plugin.attributes ?? []).map((one) => outsideAttribute(one, null)));
}

/** What the plugins declare, each with its reader. The registry has seen to it that there is one. */
export function registeredAttributes(loaded: readonly LoadedPlugin[], registry: Registry): Attribute[] {
  const readers = new Map(registry.having("readAttributes").map(({ name, hooks }) => [name, hooks.readAttributes]));
  return loaded.flatMap(({ plugin }) => {
    const ofPlugin = readers.get(plugin.name) ?? {};
    return (plugin.attributes ?? []).map((one) => outsideAttribute(one, ofPlugin[one.name] ?? null));
  });
}
