// The accounts, for a command on the config's database: it acts as the master, and is called `local` in the audit log.

import type { Actor } from "../accounts/caller.ts";
import { AccountError } from "../accounts/errors.ts";
import { FIELDS, NOUNS, wireName } from "../accounts/fields.ts";
import { Keys } from "../accounts/keys.ts";
import { Accounts } from "../accounts/service.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config/model.ts";
import { SetupError } from "../errors.ts";
import type { AccountKind } from "../store/directory.ts";
import { loadPepper } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { suggest } from "../suggest.ts";
import type { Io } from "./command.ts";
import { withStore } from "./with-store.ts";

/** Whoever can open the database may do everything. */
export const LOCAL: Actor = { kind: "master", name: "local" };

/** Runs `work` on the accounts. @throws SetupError 1 for what is refused, 78 as `withStore` */
export async function withAccounts<T>(
  io: Io,
  configPath: string | undefined,
  work: (accounts: Accounts, store: Store, config: Config) => Promise<T>,
): Promise<T> {
  return withStore(io, configPath, async (store, config) => {
    try {
      // Rules are checked by the command that reads them: see kept-rules.ts.
      return await work(new Accounts({ directory: store.directory, checkRules: () => undefined }), store, config);
    } catch (error) {
      throw error instanceof AccountError ? told(error) : error;
    }
  });
}

/** The operations that make secrets. */
export function keysOf(accounts: Accounts, store: Store, config: Config, io: Io): Keys {
  return new Keys({ accounts, pepper: loadPepper(config, io.env, store.accounts), nowMs: () => systemClock.nowMs() });
}

/** The id of what has that id or alias. @throws SetupError 1, with the nearest alias */
export async function idOf(accounts: Accounts, kind: AccountKind, name: string): Promise<string> {
  try {
    return (await accounts.get(LOCAL, kind, name)).id;
  } catch (error) {
    if (!(error instanceof AccountError) || error.code !== "not_found") throw error;
    const { items } = await accounts.list(LOCAL, kind, { limit: 1_000 });
    const near = suggest(
      name,
      items.map(({ fields }) => String(fields.alias)),
    );
    const noun = NOUNS[kind];
    const help = near === null ? `\`tollgate ${kind}s list\` shows all` : `did you mean \`${near}\`?`;
    throw new SetupError(`no ${noun} has the id or alias \`${name}\`: ${help}`, 1, error);
  }
}

function told(error: AccountError): SetupError {
  const { message, field } = error;
  const text = `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  if (error.code !== "invalid_field" || field === null) return new SetupError(text, 1, error);
  const known = Object.values(FIELDS).flatMap((fields) => Object.keys(fields));
  const near = known.includes(field) ? null : suggest(field, known);
  return new SetupError(near === null ? text : `${text}: did you mean \`${wireName(near)}\`?`, 1, error);
}
