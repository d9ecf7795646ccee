/** Reads what the kernel knows of a process, from /proc: its CPU time, its memory, the files that it may open. Linux only. */
import { readFileSync } from "node:fs";

/** USER_HZ, in which the kernel tells times to programs: 100 on every architecture that Node runs on. */
const TICK_MS = 10;

/** User and system time of all its threads, in steps of 10 ms. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name before it is in brackets and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])];
  return (userTicks + systemTicks) * TICK_MS;
}

export interface Memory {
  readonly rssKiB: number;
  /** The highest RSS since it was started. */
  readonly peakKiB: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kiB = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
  return { rssKiB: kiB("VmRSS"), peakKiB: kiB("VmHWM") };
}

/** How many files this process may have open; what it starts inherits that. Node has raised it as far as it may. */
export function openFileLimit(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}
