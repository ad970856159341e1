// From the pieces of a stream to whole lines.
import type { Readable } from "node:stream";

const LINE_FEED = 10;

/** Hands on what comes, one or more whole lines at a time. A last line without its end, cut by a kill, is left out. */
export function onWholeLines(stream: Readable, handOn: (lines: Buffer) => void): void {
  let rest: Buffer[] = [];
  stream.on("data", (piece: Buffer) => {
    const end = piece.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      const lines = piece.subarray(0, end);
      handOn(rest.length === 0 ? lines : Buffer.concat([...rest, lines]));
      rest = [];
    }
    if (end < piece.length) rest.push(piece.subarray(end));
  });
}
