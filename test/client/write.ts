// `node test/client/write.ts`: writes the client's types anew.
import { writeFileSync } from "node:fs";
import { liveDocument, TYPES_FILE, typesOf } from "./made.ts";

writeFileSync(TYPES_FILE, typesOf(await liveDocument()));
