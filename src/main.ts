// The process: argv → a command in cli/, errors → messages and exit codes.
import type { Io } from "./cli/command.ts";
import { COMMANDS, type CommandEntry } from "./cli/commands.ts";
import { SetupError } from "./errors.ts";
import { suggest } from "./suggest.ts";
import { version } from "./version.ts";

const USAGE = 64;

/** Runs the process's own command line and sets its exit code. The entry, tollgate.cjs, calls it. */
export async function start(): Promise<void> {
  leaveQuietlyOnBrokenPipe();
  process.exitCode = await main(process.argv.slice(2), processIo());
}

/** Runs one command line; never throws. Resolves to the exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return report(error, io);
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    io.stderr.write(await overview());
    return USAGE;
  }
  if (first === "--version" || first === "-v") return print(io, `${version()}\n`);
  if (first === "--help" || first === "-h" || (first === "help" && rest.length === 0))
    return print(io, await overview());
  const entry = find(first === "help" ? (rest[0] ?? "") : first);
  const command = await entry.load();
  if (first === "help" || asksHelp(rest)) return print(io, `${command.help.trimEnd()}\n`);
  return command.run(rest, io);
}

function find(name: string): CommandEntry {
  const entry = COMMANDS.find((command) => command.name === name);
  if (entry !== undefined) return entry;
  if (name.startsWith("-")) throw new SetupError(`options come after the command: tollgate COMMAND ${name}`, USAGE);
  const names = COMMANDS.map((command) => command.name);
  const near = suggest(name, names);
  const help = near === null ? `the commands are ${names.join(", ")}` : `did you mean \`${near}\`?`;
  throw new SetupError(`unknown command \`${name}\`: ${help}`, USAGE);
}

function asksHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? argv.length : end).some((word) => word === "--help" || word === "-h");
}

async function overview(): Promise<string> {
  const commands = await Promise.all(COMMANDS.map((entry) => entry.load()));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(8)}  ${summary}`);
  return [
    "tollgate: a policy gateway for LLM traffic",
    "",
    "Usage: tollgate COMMAND [options]",
    "",
    ...lines,
    "",
    "Every command takes --help, --config FILE and --json. `tollgate COMMAND --help` says more.",
    "",
  ].join("\n");
}

function print(io: Io, text: string): number {
  io.stdout.write(text);
  return 0;
}

function report(error: unknown, io: Io): number {
  if (error instanceof SetupError) {
    const isReport = /^(?:error|warning)\b/.test(error.message);
    io.stderr.write(`${isReport ? "" : "tollgate: "}${error.message}\n`);
    return error.exitCode;
  }
  const told = error instanceof Error ? error : new Error(String(error));
  const more = io.env.TOLLGATE_DEBUG ? told.stack : `${told.message}\n(TOLLGATE_DEBUG=1 shows where)`;
  io.stderr.write(`tollgate: unexpected error: ${more}\n`);
  return 1;
}

function processIo(): Io {
  const { env, stdout, stderr } = process;
  // Opened only when it is read: a command that leaves it alone must not wait for it.
  const stdin = {
    [Symbol.asyncIterator]: (): AsyncIterator<Uint8Array> => process.stdin[Symbol.asyncIterator](),
  };
  return { stdin, stdout, stderr, env, cwd: process.cwd(), color: stderr.isTTY === true && !env.NO_COLOR };
}

/** `tollgate usage | head -1` is no failure. */
function leaveQuietlyOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.exit();
    });
  }
}
