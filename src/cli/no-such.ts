// "No such key", "no such team": with the nearest alias, or the command that helps.
import { NOUNS } from "../accounts/fields.ts";
import { SetupError } from "../errors.ts";
import type { AccountKind } from "../store/directory.ts";
import { suggest } from "../suggest.ts";

/**
 * Exit code 1.
 * @param near aliases of which one may be meant
 * @param isToBeMade the help is the command that makes one of that name
 */
export function noSuch(kind: AccountKind, name: string, near: readonly string[], isToBeMade: boolean): SetupError {
  const nearest = suggest(name, near);
  const what = isToBeMade ? `no ${NOUNS[kind]} is called` : `no ${NOUNS[kind]} has the id or alias`;
  const help = isToBeMade
    ? `\`tollgate ${kind}s create --alias ${name}\` makes it`
    : `\`tollgate ${kind}s list\` shows all`;
  return new SetupError(`${what} \`${name}\`: ${nearest === null ? help : `did you mean \`${nearest}\`?`}`, 1);
}
