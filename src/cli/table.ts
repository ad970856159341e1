// Tables for people and CSV for spreadsheets.

/** A column: its heading, and whether its cells are numbers. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

/** Aligned columns with two blanks between them; no trailing blanks. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  return pagedTable(columns)(rows);
}

/** The same in pages: the heading comes with the first, and a wider cell widens its column from its page on. */
export function pagedTable(columns: readonly Column[]): (rows: readonly (readonly string[])[]) => string {
  let widths = columns.map(() => 0);
  let heading: readonly (readonly string[])[] = [columns.map(({ title }) => title)];
  return (rows) => {
    const cells = [...heading, ...rows.map((row) => row.map(printable))];
    heading = [];
    widths = widths.map((width, index) => Math.max(width, ...cells.map((row) => row[index]?.length ?? 0)));
    const lines = cells.map((row) =>
      columns
        .map(({ align }, index) => pad(row[index] ?? "", widths[index] ?? 0, align))
        .join("  ")
        .trimEnd(),
    );
    return `${lines.join("\n")}\n`;
  };
}

/** RFC 4180: a heading, quotes where they are needed, CR LF at the end of each line. */
export function renderCsv(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [titles, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

function pad(text: string, width: number, align: Column["align"]): string {
  return align === "left" ? text.padEnd(width) : text.padStart(width);
}

/** Names come from people and callers: control characters must not reach the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "�");
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
