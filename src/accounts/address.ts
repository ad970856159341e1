// From where a key may be used for managing accounts: its own ranges, its team's and its organisation's.
import { ipRanges } from "../ip-ranges.ts";
import type { Directory, Fields } from "../store/directory.ts";
import { AccountError } from "./errors.ts";

/**
 * For requests that no rule decides: where one does, the ranges are rules (see policy.ts).
 * @throws AccountError `not_permitted` when one of the lists does not have the address
 */
export async function assertAddress(directory: Directory, keyId: string, ip: string): Promise<void> {
  const key = await directory.get("key", keyId);
  const team = await ownerOf(directory, "team", key?.fields.teamId);
  const org = await ownerOf(directory, "org", team?.orgId);
  const lists = [key?.fields, team, org].map((fields) => (fields?.ipRanges ?? []) as readonly string[]);
  if (lists.some((list) => list.length > 0 && !ipRanges(list)(ip))) {
    throw new AccountError("not_permitted", "The virtual key may not be used from this address");
  }
}

async function ownerOf(directory: Directory, kind: "team" | "org", id: unknown): Promise<Fields | null> {
  return typeof id === "string" ? ((await directory.get(kind, id))?.fields ?? null) : null;
}
