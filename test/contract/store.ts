// The contract that every store keeps: one suite, run on each database.
import t from "tap";
import { accounts } from "./accounts.ts";
import { credits } from "./credits.ts";
import { directory } from "./directory.ts";
import { iam } from "./iam.ts";
import { largeMoney, leases, spans } from "./leases.ts";
import { processes } from "./processes.ts";
import { requests } from "./requests.ts";
import type { Fresh } from "./rig.ts";
import { rules } from "./rules.ts";

const SUITES = {
  accounts,
  credits,
  directory,
  iam,
  leases,
  spans,
  processes,
  "large money": largeMoney,
  requests,
  rules,
};

/** Runs every suite, each test on a fresh database. */
export function storeContract(database: string, fresh: Fresh): void {
  for (const [name, suite] of Object.entries(SUITES)) {
    t.test(`${database}: ${name}`, async (t) => {
      for (const [what, run] of Object.entries(suite)) await t.test(what, (t) => run(t, fresh));
    });
  }
}
