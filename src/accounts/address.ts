// From where a key may be used for managing accounts: by the ranges and IAM rules of its own, its team and organisation.
import { ipRanges } from "../ip-ranges.ts";
import type { Directory, Fields, IamKind, IamRule } from "../store/directory.ts";
import { AccountError } from "./errors.ts";

/**
 * For requests that no rule decides: where one does, ranges and IAM rules are rules (see policy.ts, iam-text.ts).
 * @throws AccountError `not_permitted` when one of the lists does not have the address, or one that is denied has it
 */
export async function assertAddress(directory: Directory, keyId: string, ip: string): Promise<void> {
  const key = (await directory.get("key", keyId))?.fields;
  const team = await ownerOf(directory, "team", key?.teamId);
  const org = await ownerOf(directory, "org", team?.orgId);
  const places = [
    ["key", keyId, key],
    ["team", key?.teamId, team],
    ["org", team?.orgId, org],
  ] as const;
  for (const [kind, id, fields] of places) {
    const own = (fields?.ipRanges ?? []) as readonly string[];
    const { allowed, denied } = await iamRangesOf(directory, kind, id);
    const isOutside = [own, ...allowed].some((list) => list.length > 0 && !ipRanges(list)(ip));
    if (!isOutside && !ipRanges(denied)(ip)) continue;
    throw new AccountError("not_permitted", "The virtual key may not be used from this address");
  }
}

async function ownerOf(directory: Directory, kind: "team" | "org", id: unknown): Promise<Fields | null> {
  return typeof id === "string" ? ((await directory.get(kind, id))?.fields ?? null) : null;
}

/** What the active IAM rules of one object deny, and the lists that they allow: one for each rank that has set some. */
async function iamRangesOf(directory: Directory, kind: IamKind, id: unknown) {
  const rules = typeof id === "string" ? await directory.iamRules(kind, id) : [];
  const active = rules.filter(({ status }) => status === "active");
  const allowing = active.filter(({ ruleType }) => ruleType === "allow_ip_cidrs");
  const byRank = Map.groupBy(allowing, ({ rank }) => rank);
  return {
    allowed: [...byRank.values()].map((ofRank) => ofRank.flatMap(rangesIn)),
    denied: active.filter(({ ruleType }) => ruleType === "deny_ip_cidrs").flatMap(rangesIn),
  };
}

function rangesIn({ ruleValue }: IamRule): readonly string[] {
  return (ruleValue as unknown as { readonly ipCidrs: readonly string[] }).ipCidrs;
}
