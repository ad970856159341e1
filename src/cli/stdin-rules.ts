// Rules from standard input: a rule set of their own, or an editor's unsaved text in place of a file.
import { basename, dirname, resolve } from "node:path";
import { mergeSnapshots, type Snapshot, snapshotOf } from "../rules/build.ts";
import type { Source } from "../rules/source.ts";
import type { Io } from "./command.ts";
import { labelIn } from "./rule-files.ts";

/** What reports call a text that stands for no file. */
const NAMELESS = "<stdin>";

/** The snapshot with what standard input holds: in place of `file`, which need not be there, or beside it all. */
export async function withStdin(snapshot: Snapshot, file: string | undefined, io: Io): Promise<Snapshot> {
  const text = await textOf(io);
  if (file === undefined) return mergeSnapshots([snapshot, snapshotOf([{ name: NAMELESS, label: NAMELESS, text }])]);
  const path = resolve(io.cwd, file);
  const label = labelIn(io.cwd)(path);
  const replaced = snapshot.sources.find((source) => source.label === label);
  const name = replaced?.name ?? `${basename(dirname(path))}/${basename(path)}`;
  const source: Source = { name, label, text };
  const others = snapshot.sources.filter((one) => one !== replaced);
  return mergeSnapshots([snapshotOf([...others, source], snapshot.unreadable)]);
}

async function textOf({ stdin }: Io): Promise<string> {
  let text = "";
  const utf8 = new TextDecoder();
  for await (const chunk of stdin ?? []) text += utf8.decode(chunk, { stream: true });
  return text + utf8.decode();
}
