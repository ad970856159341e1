// The error reference, as a page and as one entry on the terminal.
import { CODES, type Code } from "./diagnostics.ts";
import { type CodeEntry, ERROR_REFERENCE } from "./reference-errors.ts";
import { WARNING_REFERENCE } from "./reference-warnings.ts";

/** What the reference says of each code. */
export const REFERENCE: Readonly<Record<Code, CodeEntry>> = { ...ERROR_REFERENCE, ...WARNING_REFERENCE };

/** Every code, in the table's order. */
export const ALL_CODES = Object.keys(CODES) as readonly Code[];

const HEAD = `# Findings

What \`tollgate check\`, \`tollgate test\` and the gateway's log say of rule files, by code. An \`E\` rejects the rules: those before stay in force. A \`W\` is most likely not what was meant, and fails \`tollgate check --strict\`; an \`I\` is a hint. \`tollgate check --explain CODE\` prints one of these entries. Each example is a rule file after the line \`default allow\`, unless it has a \`default\` of its own or is about rules kept on a team, with a catalogue of gpt-4, gpt-4o-mini and claude-opus-4. This page is made from the code: \`node test/docs/write.ts\`.
`;

/** The whole page in Markdown. */
export function referencePage(): string {
  return `${HEAD}\n${ALL_CODES.map(section).join("\n")}`;
}

function section(code: Code): string {
  const { cause, wrong, remedy, right } = REFERENCE[code];
  const parts = [`## ${code}: ${CODES[code]}`, cause, fenced(wrong), remedy, fenced(right)];
  return `${parts.filter((part) => part !== null).join("\n\n")}\n`;
}

function fenced(text: string | null): string | null {
  return text === null ? null : `\`\`\`rules\n${text}\n\`\`\``;
}

/** One entry in plain text. */
export function entryText(code: Code): string {
  const { cause, wrong, remedy, right } = REFERENCE[code];
  const shown = (title: string, text: string | null): string[] =>
    text === null ? [] : [`${title}:\n${text.replace(/^/gm, "    ")}`];
  const parts = [`${code}: ${CODES[code]}`, cause, ...shown("wrong", wrong), remedy, ...shown("right", right)];
  return `${parts.join("\n\n")}\n`;
}
