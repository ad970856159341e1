// A team's own virtual key: the one that is made with the team, and replaced by rotation.
import { type AccountObject, type Actor, type Management, parseDuration, z } from "../../src/plugin.ts";

/** A length of time, in milliseconds. */
export const duration = z
  .string()
  .transform((text, context) => {
    const read = parseDuration(text);
    if (read.ok) return read.value;
    context.addIssue({ code: "custom", message: "write a length: 30m, 24h, 7d" });
    return z.NEVER;
  })
  .describe("A length: 30m, 24h, 7d");

/** Makes the team's key. It belongs to the team alone. Answers with its secret, which is shown this once. */
export async function makeTeamKey({ keys }: Management, actor: Actor, teamId: string): Promise<string> {
  const alias = `${teamId} (team key)`;
  return (await keys.create(actor, { teamId, serviceAccount: true, alias })).secret;
}

/** The team's key: the oldest that belongs to the team alone and is not revoked; null when there is none. */
export async function teamKeyOf({ accounts }: Management, actor: Actor, teamId: string): Promise<AccountObject | null> {
  let after: string | undefined;
  do {
    const page = await accounts.list(actor, "key", { within: { teamIds: [teamId] }, after });
    const own = page.items.find(({ fields }) => fields.serviceAccount === true && fields.status !== "revoked");
    if (own !== undefined) return own;
    after = page.next ?? undefined;
  } while (after !== undefined);
  return null;
}
