// A worker's process: it obeys the first process, and drains when that is gone.
import cluster from "node:cluster";
import type { ToWorker } from "./messages.ts";
import { WorkerLife } from "./worker-life.ts";

const life = new WorkerLife();
process.on("message", (message: ToWorker) => life.hear(message));

// Ctrl-C and a closing terminal tell all processes of a group: the first one says what is to be done.
process.on("SIGINT", () => undefined);
process.on("SIGHUP", () => undefined);
process.on("SIGTERM", () => life.drain("SIGTERM"));

cluster.worker?.once("disconnect", () => {
  // Else node ends the process here, and with it all that is under way.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  life.drain("the end of the first process");
});
