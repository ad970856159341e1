// Ends a message with its body in as few system calls and copies as Node allows.
import type { OutgoingMessage } from "node:http";

/** Longer bodies go as they are: copying them costs more than it saves. */
const TEXT_BYTES_MAX = 8 * 1024;

/**
 * Ends the message with these bytes. Node sends a body that is text together with the header, as one string and one
 * plain write; bytes go as a second chunk of a vectored write, which costs more for a small body. Latin-1 keeps every
 * byte as it is.
 */
export function endWith(message: OutgoingMessage, body: Buffer): void {
  if (body.length > TEXT_BYTES_MAX) message.end(body);
  else message.end(body.toString("latin1"), "latin1");
}
