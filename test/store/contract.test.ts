// Runs the store contract on SQLite files.
import { storeContract } from "../contract/store.ts";
import { SqliteTestDatabase } from "./sqlite-database.ts";

storeContract("sqlite", (t) => new SqliteTestDatabase(t));
