// The typed client, `tollgate/client`: fetch and nothing else. It imports nothing of the gateway's.
export { type AdminOptions, type IamKindName, TollgateAdmin } from "./admin.ts";
export type * from "./chat.ts";
export * from "./errors.ts";
export type { ChangeOptions, Keys, MadeObjects, Objects, Page, Places, Users, Versioned } from "./objects.ts";
export { OpenJob, type TeamOptions, TollgateTeam } from "./team.ts";
export type { CallOptions, ClientOptions } from "./transport.ts";
export type * from "./types.ts";
