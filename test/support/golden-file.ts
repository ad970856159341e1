// Golden files: `input`, a line of dashes, `output`. GOLDEN_WRITE=1 writes the outputs anew.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const RULER = "\n----\n";

/** One file of a golden folder. */
export interface GoldenFile {
  readonly name: string;
  readonly input: string;
  readonly expected: string;
}

/** All files of a folder under test/golden. With GOLDEN_WRITE=1, first replaces each output by what `run` gives. */
export function goldenFiles(folder: string, run: (input: string) => string): GoldenFile[] {
  const directory = join(import.meta.dirname, "..", "golden", folder);
  return readdirSync(directory).map((name) => {
    const file = join(directory, name);
    const [input = "", expected = ""] = readFileSync(file, "utf8").split(RULER);
    if (process.env.GOLDEN_WRITE !== "1") return { name, input, expected: expected.trimEnd() };
    const output = run(input);
    writeFileSync(file, `${input}${RULER}${output}\n`);
    return { name, input, expected: output };
  });
}
