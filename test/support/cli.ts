// Runs `tollgate` command lines in this process and keeps what they print.
import type { Io } from "../../src/cli/command.ts";
import { main } from "../../src/main.ts";

/** What a command line came to. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line in a folder. */
export function tollgate(cwd: string, argv: readonly string[], env: Io["env"] = {}): Promise<Ran> {
  return runIn(cwd, main, argv, env);
}

/** Runs a command, or the whole command line, in a folder. */
export async function runIn(
  cwd: string,
  run: (argv: readonly string[], io: Io) => Promise<number>,
  argv: readonly string[],
  env: Io["env"] = {},
): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  const code = await run(argv, {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env,
    cwd,
    color: false,
  });
  return { code, stdout, stderr };
}
