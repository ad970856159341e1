// A team as these routes answer with it: its key masked, and notes on what may surprise.
import { AccountError, type Actor, type ApiReply, type Management } from "../../src/plugin.ts";
import { masked, teamJson } from "./shapes.ts";
import { teamKeyOf } from "./team-keys.ts";

const MASKED_NOTE = "The virtual key is shown once, when it is made or rotated; here it is masked.";

/** The team as the actor may see it. A key is shown itself in the place of the team's key. */
export async function shownTeam(
  management: Management,
  actor: Actor,
  teamId: string,
  notes: readonly string[] = [],
): Promise<ApiReply> {
  const { accounts, credits } = management;
  const team = await credits.balance(actor, teamId);
  const key = actor.kind === "key" ? await accounts.get(actor, "key", actor.keyId) : null;
  const own = key ?? (await teamKeyOf(management, actor, team.team.id));
  const all = own === null ? notes : [...notes, MASKED_NOTE];
  return { status: 200, body: { ...teamJson(team, own === null ? null : masked(own)), notes: all } };
}

/** What is to be said of access groups that nobody has made: they let nothing through until somebody does. */
export async function notesOnGroups(
  { accounts }: Management,
  actor: Actor,
  groups: readonly string[],
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const name of groups) {
    try {
      await accounts.get(actor, "group", name);
    } catch (error) {
      if (!(error instanceof AccountError) || error.code !== "not_found") throw error;
      notes.push(`The access group ${name} is not there: it lets no model through until it is made.`);
    }
  }
  return notes;
}
