// Connections on their way to a worker. node:cluster forgets those that a worker had not taken when it died: they would
// stay open in the first process, with nobody to answer.
import type { Worker } from "node:cluster";

/** What matters here of node's own messages (lib/internal/cluster/utils.js and round_robin_handle.js). */
interface ClusterMessage {
  readonly act?: string;
  readonly seq?: number;
  /** The `seq` that it answers. */
  readonly ack?: number;
  /** False: the worker has closed its listener, and the connection is for another. */
  readonly accepted?: boolean;
}

interface Closable {
  close(): void;
}

/** After a worker's end, until all that it has answered is read, milliseconds. */
const ANSWERS_READ_MS = 500;

type Send = (message: ClusterMessage, handle?: Closable, ...rest: unknown[]) => boolean;

/**
 * Once the worker has died, closes what it was offered and had not answered: those callers see the end, as its others do.
 * @param isDraining true once all workers are told to end: then nobody is left for what one does not take
 */
export function closeUntaken(worker: Worker, isDraining: () => boolean): void {
  const channel = worker.process as unknown as {
    send: Send;
    on(name: string, hear: (message: ClusterMessage) => void): void;
  };
  const offered = new Map<number, Closable>();
  const send = channel.send.bind(channel);
  channel.send = (message, handle, ...rest) => {
    if (message.act === "newconn" && message.seq !== undefined && handle) offered.set(message.seq, handle);
    return send(message, handle, ...rest);
  };
  channel.on("internalMessage", ({ ack, accepted }) => {
    if (ack === undefined) return;
    if (accepted === false && isDraining()) offered.get(ack)?.close();
    offered.delete(ack);
  });
  worker.once("exit", () => {
    const close = (): void => {
      for (const handle of offered.values()) handle.close();
      // While one was under way node does not see the end of the channel, and counts the worker as a listener for ever.
      if (worker.isConnected()) worker.process.disconnect();
    };
    setTimeout(close, ANSWERS_READ_MS).unref();
  });
}
