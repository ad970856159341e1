// The list of commands. Each is imported only when it is asked for: `tollgate --version` loads none.
import type { Command } from "./command.ts";

/** A command's name and how to get it. */
export interface CommandEntry {
  readonly name: string;
  load(): Promise<Command>;
}

/** In the order of `tollgate --help`. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: "run", load: async () => (await import("./run.ts")).run },
  { name: "check", load: async () => (await import("./check.ts")).check },
  { name: "keys", load: async () => (await import("./keys.ts")).keys },
  { name: "teams", load: async () => (await import("./teams.ts")).teams },
  { name: "orgs", load: async () => (await import("./orgs.ts")).orgs },
  { name: "users", load: async () => (await import("./users.ts")).users },
  { name: "groups", load: async () => (await import("./groups.ts")).groups },
  { name: "iam", load: async () => (await import("./iam.ts")).iam },
  { name: "credits", load: async () => (await import("./credits.ts")).credits },
  { name: "jobs", load: async () => (await import("./jobs.ts")).jobs },
  { name: "audit", load: async () => (await import("./audit.ts")).audit },
  { name: "usage", load: async () => (await import("./usage.ts")).usage },
  { name: "limits", load: async () => (await import("./limits.ts")).limits },
  { name: "ledger", load: async () => (await import("./ledger.ts")).ledger },
  { name: "config", load: async () => (await import("./config.ts")).config },
  { name: "test", load: async () => (await import("./test.ts")).test },
  { name: "explain", load: async () => (await import("./explain.ts")).explain },
  { name: "fmt", load: async () => (await import("./fmt.ts")).fmt },
  { name: "rules", load: async () => (await import("./rules.ts")).rules },
  { name: "import", load: async () => (await import("./import.ts")).importCommand },
];
