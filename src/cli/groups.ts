// `tollgate groups`: makes, lists and changes access groups.
import type { Group } from "../client/types.ts";
import { objectCommand } from "./object-commands.ts";

export const groups = objectCommand({
  name: "groups",
  kind: "group",
  summary: "make, list and change access groups: names for lists of models",
  about: `
Makes, lists and changes access groups. A group is a name for a list of models, patterns or aliases, which keys, teams,
users and organisations are given by the group's name.`.trimStart(),
  examples: [
    "tollgate groups create --alias gpt-models --models gpt-4o,gpt-4o-mini",
    "tollgate teams set search --access-groups gpt-models",
    "tollgate groups set gpt-models --models 'gpt-4o*'",
  ],
  columns: { MODELS: ({ models }: Group) => models.join(", ") },
});
