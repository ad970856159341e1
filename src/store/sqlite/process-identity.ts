// Which operating-system process this is, and whether another one is gone for certain.
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** A process as other processes can check on it. */
export interface ProcessIdentity {
  /** Where the pid means something: the kernel's boot and the PID namespace, or the host's name without /proc. */
  readonly host: string;
  readonly pid: number;
  /** The kernel's start time of the pid in clock ticks, which tells a reused pid; null without /proc. */
  readonly started: string | null;
}

/** Fields of /proc/PID/stat after the command's name, from proc_pid_stat(5): 3 is the state, 22 the start time. */
const STATE_FIELD = 0;
const START_FIELD = 22 - 3;

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return { host: ownHost(), pid: process.pid, started: statOf(process.pid)?.started ?? null };
}

/** True when that process has certainly ended; false when it runs or when this process cannot tell. */
export function isGone(other: ProcessIdentity, own: ProcessIdentity): boolean {
  if (other.host !== own.host) return false;
  if (other.started === null) return !canBeSignalled(other.pid);
  const stat = statOf(other.pid);
  return stat === null || stat.started !== other.started || stat.state === "Z" || stat.state === "X";
}

function ownHost(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

function statOf(pid: number): { state: string; started: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[STATE_FIELD] ?? "", started: fields[START_FIELD] ?? "" };
  } catch {
    return null;
  }
}

function canBeSignalled(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
