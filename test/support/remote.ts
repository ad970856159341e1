// A gateway, and the command line that asks it from a folder of its own.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Test } from "tap";
import { type Ran, tollgate } from "./cli.ts";
import { newFolder } from "./folder.ts";
import { startTestGateway, type TestGateway } from "./gateway.ts";
import { json as answerJson, CHAT_ANSWER, startUpstream } from "./upstream.ts";

/** The gateway's. */
export const ADMIN_KEY = "adm-of-this-test";
/** In that folder: rules that are good, and that are not. */
export const FILES = {
  "k.rules": "# ours\nonly model [gpt-4o-mini]\nwarn when stream\n",
  "bad.rules": "deny modle gpt-4\n",
};

/** Both. */
export interface Remote {
  readonly gateway: TestGateway;
  readonly cwd: string;
  run(...argv: string[]): Promise<Ran>;
}

/** A gateway, and a folder without config or database to ask it from. */
export async function remote(t: Test): Promise<Remote> {
  const upstream = await startUpstream(answerJson(CHAT_ANSWER));
  t.teardown(() => upstream.close());
  const gateway = await startTestGateway(t, {
    providers: [{ name: "openai", base_url: `${upstream.url}/v1`, wire: "openai" }],
    config: { admin: { listen: "127.0.0.1:0", key: ADMIN_KEY } },
  });
  const cwd = folderWith(t, FILES);
  const run = (...argv: string[]): Promise<Ran> =>
    tollgate(cwd, [...argv, "--url", gateway.adminUrl], { TOLLGATE_ADMIN_KEY: ADMIN_KEY });
  return { gateway, cwd, run };
}

/** A new folder with these files. */
export function folderWith(t: Test, files: Readonly<Record<string, string>>): string {
  const folder = newFolder(t);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}
