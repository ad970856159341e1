// One map of a foreign config, read key by key, so that what nobody read can be told.

/** A map and where it stands. What is absent, null or empty counts as not written. */
export class Section {
  readonly path: readonly PropertyKey[];
  readonly #map: Readonly<Record<string, unknown>>;
  readonly #left: Set<string>;

  /** Anything but a map is read as an empty one. */
  constructor(value: unknown, path: readonly PropertyKey[]) {
    this.path = path;
    this.#map = isMap(value) ? value : {};
    this.#left = new Set(Object.keys(this.#map).filter((key) => isWritten(this.#map[key])));
  }

  /** Looks without reading. */
  has(key: string): boolean {
    return this.#left.has(key);
  }

  /** The value in a map of this one, without reading it. */
  peek(key: string, inner: string): unknown {
    const map = this.#map[key];
    return isMap(map) ? map[inner] : undefined;
  }

  /** The path of a key. */
  at(key: string): readonly PropertyKey[] {
    return [...this.path, key];
  }

  /** The value, which counts as read; undefined when it is not there. */
  take(key: string): unknown {
    return this.#left.delete(key) ? this.#map[key] : undefined;
  }

  /** A text, or a number as text; null, and not read, when it is neither. */
  text(key: string): string | null {
    const value = this.#map[key];
    if ((typeof value !== "string" && typeof value !== "number") || value === "") return null;
    this.#left.delete(key);
    return String(value);
  }

  /** A number of at least 0, also one written as text; null, and not read, when it is none. */
  number(key: string): number | null {
    const value = this.#map[key];
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isFinite(number) || number < 0) return null;
    this.#left.delete(key);
    return number;
  }

  /** A whole number above 0; null, and not read, when it is none. */
  count(key: string): number | null {
    const value = Number(this.#map[key] ?? Number.NaN);
    return Number.isSafeInteger(value) && value > 0 ? this.number(key) : null;
  }

  /** True for `true`, as YAML 1.1 writes it too; null, and not read, when it is not a boolean. */
  flag(key: string): boolean | null {
    const value = this.#map[key];
    const word = typeof value === "string" ? value.toLowerCase() : value;
    const isTrue = word === true || word === "true" || word === "yes" || word === "on";
    if (!isTrue && word !== false && word !== "false" && word !== "no" && word !== "off") return null;
    this.#left.delete(key);
    return isTrue;
  }

  /** The texts of a list, or a text alone; null, and not read, when it is neither. */
  texts(key: string): readonly string[] | null {
    const value = this.#map[key];
    const list = typeof value === "string" ? [value] : value;
    if (!Array.isArray(list) || !list.every((item) => typeof item === "string")) return null;
    this.#left.delete(key);
    return list;
  }

  /** A map under the key, which counts as read here. */
  section(key: string): Section {
    const value = this.#map[key];
    if (isMap(value)) this.#left.delete(key);
    return new Section(value, this.at(key));
  }

  /** The keys that nobody read. */
  left(): readonly string[] {
    return [...this.#left];
  }
}

function isWritten(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isMap(value) ? Object.keys(value).length > 0 : value !== null && value !== "";
}

/** A plain map. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
