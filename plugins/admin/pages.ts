// Pages of lists, and versions against lost updates.
import { AccountError, type AccountKind, type AccountObject, GatewayError, z } from "../../src/plugin.ts";

/** Most entries of a page. */
const PAGE_MAX = 1_000;

/** How many entries, and after which. */
export const paging = {
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(100).describe(`1 to ${PAGE_MAX}; 100 when left out`),
  after: z.string().optional().describe("`next` of the page before"),
};

/** The query of a list of a kind. */
export function pageQuery(kind: AccountKind) {
  const [isKey, isTeam] = [kind === "key", kind === "team"];
  const only = (isThere: boolean, what: string) =>
    isThere ? z.string().optional().describe(what) : z.undefined().optional();
  return z.strictObject({
    ...paging,
    search: z
      .string()
      .min(1)
      .optional()
      .describe("A part of the alias, in capitals or not; one or two characters: how it begins"),
    prefix: z.string().min(1).optional().describe("How the alias begins; the list is then in the order of aliases"),
    status: only(kind !== "group", "Only those with this status"),
    org: only(isTeam, "The organisation's id"),
    team: only(isKey, "The team's id"),
    user: only(isKey, "The user's id"),
  });
}

/** The shape of a page. */
export function pageOf(item: z.ZodType): z.ZodType {
  return z.object({ items: z.array(item), next: z.string().nullable().describe("`after` of the next page") });
}

/** An object's version as an entity tag (RFC 9110 8.8.3). */
export function etagOf({ version }: Pick<AccountObject, "version">): string {
  return `"${version}"`;
}

/**
 * The version that the change is to be made on; undefined where the caller asks for none.
 * @throws AccountError `outdated` (412) when the object is at another; GatewayError 400 for what is no tag of ours
 */
export async function assertVersion(
  ifMatch: string | undefined,
  get: () => Promise<AccountObject>,
): Promise<number | undefined> {
  if (ifMatch === undefined || ifMatch.trim() === "*") return undefined;
  const tags = ifMatch.split(",").map((tag) => /^"(\d+)"$/.exec(tag.trim())?.[1]);
  if (tags.includes(undefined)) {
    throw new GatewayError("invalid_request", "`if-match` takes the `etag` of an earlier answer", {
      param: "if-match",
    });
  }
  const { version } = await get();
  if (tags.includes(String(version))) return version;
  throw new AccountError("outdated", "It has changed since: look at it again");
}
