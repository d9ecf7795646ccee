/**
 * Finds out who listens on a port of this machine, where the system tells: on Linux, of processes that this user may look
 * into. For an error that helps; nothing is decided by it.
 */

import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

export interface PortOwner {
  pid: number;
  /** The program, and the script when there is one: `node dist/main.js`. */
  name: string;
}

const LISTENING = "0A";

/** Undefined when it cannot be found out. */
export async function portOwner(port: number): Promise<PortOwner | undefined> {
  const sockets = new Set((await listeningInodes(port)).map((inode) => `socket:[${inode}]`));
  if (sockets.size === 0) return undefined;
  for (const entry of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(entry) || !(await holdsOneOf(sockets, entry))) continue;
    return { pid: Number(entry), name: await nameOf(entry) };
  }
  return undefined;
}

/** What to print in place of "taken". */
export async function explainTakenPort(host: string, port: number): Promise<string> {
  const owner = await portOwner(port);
  const move = `start Muster on another one: MUSTER_PORT=${port === 65_535 ? port - 1 : port + 1}`;
  if (owner !== undefined) {
    return `port ${port} on ${host} is taken by ${owner.name} (pid ${owner.pid}); stop that, or ${move}`;
  }
  return `port ${port} on ${host} is taken; sudo ss -ltnp "sport = :${port}" says by whom; stop that, or ${move}`;
}

async function listeningInodes(port: number): Promise<string[]> {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const tables = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((file) => readFile(file, "utf8").catch(() => "")),
  );
  return tables
    .join("\n")
    .split("\n")
    .flatMap((line) => {
      // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      return local.endsWith(`:${wanted}`) && state === LISTENING ? [inode] : [];
    });
}

async function holdsOneOf(sockets: ReadonlySet<string>, pid: string): Promise<boolean> {
  const folder = join("/proc", pid, "fd");
  for (const descriptor of await readdir(folder).catch(() => [])) {
    if (sockets.has(await readlink(join(folder, descriptor)).catch(() => ""))) return true;
  }
  return false;
}

async function nameOf(pid: string): Promise<string> {
  const program = (await readFile(join("/proc", pid, "comm"), "utf8").catch(() => "a process")).trim();
  const words = (await readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => "")).split("\0");
  const script = words[1] ?? "";
  // Only what looks like a script: further arguments may hold secrets.
  return /^[\w./@-]+\.(js|mjs|cjs|ts|py|rb|jar)$/.test(script) ? `${program} ${script}` : program;
}
