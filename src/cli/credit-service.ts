// Credits and jobs, for a command on the config's database.
import { Credits } from "../accounts/credits.ts";
import { Jobs } from "../accounts/jobs.ts";
import type { Accounts } from "../accounts/service.ts";
import { systemClock } from "../clock.ts";
import { withAccounts } from "./account-service.ts";
import type { Io } from "./command.ts";

/** What a command on credits works with. */
export interface CreditServices {
  readonly accounts: Accounts;
  readonly credits: Credits;
  readonly jobs: Jobs;
}

/** Runs `work` on the credits. @throws SetupError as `withAccounts` */
export async function withCredits<T>(
  io: Io,
  configPath: string | undefined,
  work: (services: CreditServices) => Promise<T>,
): Promise<T> {
  return withAccounts(io, configPath, (accounts, store) => {
    const nowMs = (): number => systemClock.nowMs();
    const credits = new Credits({ accounts, store: store.credits, nowMs });
    return work({ accounts, credits, jobs: new Jobs({ accounts, credits, nowMs }) });
  });
}
