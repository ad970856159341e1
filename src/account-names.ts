// The names that the rule checker asks the accounts for.
import type { NameIndex } from "./rules/catalogue.ts";
import type { AccountKind } from "./store/directory.ts";
import type { AccountStore } from "./store/store.ts";

/** Ids and aliases of the objects of a kind, looked up when they are asked for. */
export function accountNames(accounts: AccountStore, kind: AccountKind): NameIndex {
  return {
    state: accounts.revision(),
    has: (name) => accounts.hasName(kind, name),
    near: (word) => accounts.namesNear(kind, word),
  };
}
