// "No such key", "no such team", "no such organisation": with the nearest alias, or the command that helps.
import { SetupError } from "../errors.ts";
import type { AccountKind } from "../store/directory.ts";
import type { AccountStore, Store } from "../store/store.ts";
import { StoreError } from "../store/store.ts";
import { suggest } from "../suggest.ts";

/** Does the work; a subject that is not there is told with a suggestion. @throws SetupError 1 */
export function naming<T>(name: string, store: Store, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "no_such_key") throw noSuchKey(name, store);
    if (error.code === "no_such_team") throw noSuchTeam(name, store);
    if (error.code === "no_such_org") throw noSuchOrg(name, store);
    throw error;
  }
}

/** "no such key". */
function noSuchKey(name: string, { accounts }: Store): SetupError {
  const help = nearest(name, accounts, "key") ?? "`tollgate keys list` shows all";
  return new SetupError(`no key has the id or alias \`${name}\`: ${help}`, 1);
}

/** "no such team". */
export function noSuchTeam(name: string, { accounts }: Store): SetupError {
  const help = nearest(name, accounts, "team") ?? `\`tollgate teams create --alias ${name}\` makes it`;
  return new SetupError(`no team is called \`${name}\`: ${help}`, 1);
}

/** "no such organisation". */
function noSuchOrg(name: string, { accounts }: Store): SetupError {
  const help = nearest(name, accounts, "org") ?? `\`tollgate orgs create --alias ${name}\` makes it`;
  return new SetupError(`no organisation is called \`${name}\`: ${help}`, 1);
}

function nearest(name: string, accounts: AccountStore, kind: AccountKind): string | null {
  const near = suggest(name, accounts.namesNear(kind, name));
  return near === null ? null : `did you mean \`${near}\`?`;
}
