// Picks a command's subcommand: `tollgate keys create …`.
import { suggest } from "../suggest.ts";
import type { Io } from "./command.ts";
import { usage } from "./options.ts";

/** Runs one subcommand on the rest of the command line. */
export type Subcommand = (argv: readonly string[], io: Io) => Promise<number>;

/**
 * Runs the one that argv names first.
 * @throws SetupError 64 when there is none, with a suggestion
 */
export function runSubcommand(
  command: string,
  all: Readonly<Record<string, Subcommand>>,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const [name, ...rest] = argv;
  const known = Object.keys(all).join(", ");
  if (name === undefined) throw usage(command, `say what to do: ${known}`);
  const run = Object.hasOwn(all, name) ? all[name] : undefined;
  if (run !== undefined) return run(rest, io);
  const near = suggest(name, Object.keys(all));
  throw usage(
    command,
    `unknown subcommand \`${name}\`: ${near === null ? `write one of ${known}` : `did you mean \`${near}\`?`}`,
  );
}
