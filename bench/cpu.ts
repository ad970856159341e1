// Asking a child process how much CPU it has used, and telling it.
import type { ChildProcess } from "node:child_process";

/** In the child: answers `cpu` with user + system time so far, microseconds. */
export function onCpuQuestion(): void {
  process.on("message", (message) => {
    if (message !== "cpu") return;
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system });
  });
  process.on("disconnect", () => process.exit(0));
}

/** In the parent: the child's CPU time so far, microseconds. */
export function cpuOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("message", (message: { cpuUs: number }) => resolve(message.cpuUs));
    child.send("cpu");
  });
}
