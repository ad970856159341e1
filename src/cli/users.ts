// `tollgate users`: makes, lists and changes users.
import type { User } from "../client/types.ts";
import { objectCommand } from "./object-commands.ts";

export const users = objectCommand({
  name: "users",
  kind: "user",
  summary: "make, list and change users",
  about: `
Makes, lists and changes users. A user has a role, is a member of teams and organisations, and owns keys, all of which
share the user's limits and budgets.`.trimStart(),
  examples: [
    "tollgate users create --id ann --alias ann@example.com --budget '$50 per month'",
    "tollgate users set ann --user-role proxy_admin",
    "tollgate users set ann --clear budget",
  ],
  columns: { ROLE: ({ role }: User) => role, STATUS: ({ status }: User) => status },
});
