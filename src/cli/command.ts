// What a command is, and the streams it talks to.

/** The process's surroundings, replaceable in tests. */
export interface Io {
  /** Data goes here and nowhere else. */
  readonly stdout: { write(text: string): unknown };
  /** All that is not data. */
  readonly stderr: { write(text: string): unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Read by commands that are asked to; left out, it is empty. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly cwd: string;
  /** Colour may be used on stderr (a terminal, and no NO_COLOR). */
  readonly color: boolean;
}

/** One `tollgate` command. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole text of `tollgate NAME --help`: usage, options with defaults, examples. */
  readonly help: string;
  /** Exit code: 0 ok, 1 failed, 2 checked and not clean, 64 usage, 78 bad config. Throws `SetupError` for the expected failures. */
  run(argv: readonly string[], io: Io): Promise<number>;
}
