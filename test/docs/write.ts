// `node test/docs/write.ts`: writes the made parts of README.md and the error reference anew.
import { readFileSync, writeFileSync } from "node:fs";
import { referencePage } from "../../src/rules/reference.ts";
import { ERRORS_FILE, madeParts, README_FILE, withParts } from "./made.ts";

writeFileSync(README_FILE, withParts(readFileSync(README_FILE, "utf8"), await madeParts()));
writeFileSync(ERRORS_FILE, referencePage());
