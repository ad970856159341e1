// `node test/docs/write.ts`: writes the made parts of README.md anew.
import { readFileSync, writeFileSync } from "node:fs";
import { madeParts, README_FILE, withParts } from "./made.ts";

writeFileSync(README_FILE, withParts(readFileSync(README_FILE, "utf8"), await madeParts()));
