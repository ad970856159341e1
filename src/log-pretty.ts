// One log line as people read it on a terminal: time, level, message, then what else was said.

const COLORS: Readonly<Record<string, number>> = { trace: 90, debug: 90, info: 32, warn: 33, error: 31, fatal: 35 };

/** A JSON log line → `10:42:07.123 INFO  message key=value`; anything else as it is. */
export function prettyLine(json: string, color: boolean): string {
  const line = parse(json);
  if (line === null) return json;
  const { time, level, msg, err, error, ...rest } = line;
  const label = String(level).toUpperCase().padEnd(5);
  const painted = color ? `\x1b[${COLORS[String(level)] ?? 39}m${label}\x1b[39m` : label;
  const clock = String(time).slice(11, 23);
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${shown(value)}`);
  const head = [clock, painted, ...(msg === undefined ? [] : [printable(String(msg))]), ...fields].join(" ");
  return `${head}\n${stack(err ?? error)}`;
}

function parse(json: string): Record<string, unknown> | null {
  try {
    return JSON.parse(json) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** Texts without quotes where nothing in them can be mistaken. */
function shown(value: unknown): string {
  return typeof value === "string" && /^[\w./:@$*+-]+$/.test(value) ? value : printable(JSON.stringify(value));
}

/** Control characters, from a caller's path or model name, must not reach a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function stack(error: unknown): string {
  if (typeof error !== "object" || error === null) return error === undefined ? "" : `  ${printable(String(error))}\n`;
  const { stack: own, message, cause } = error as { stack?: unknown; message?: unknown; cause?: unknown };
  const lines = String(own ?? message).split("\n");
  const text = lines.map((line) => `  ${printable(line)}\n`).join("");
  return cause === undefined ? text : `${text}  caused by\n${stack(cause)}`;
}
