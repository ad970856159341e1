// A team's own virtual key: the one that is made with the team, and replaced by rotation.
import type { AccountObject, Actor, Management } from "../../src/plugin.ts";

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
