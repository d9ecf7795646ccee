/**
 * Owns the port of a data folder: chosen once, kept in the folder. All who would start a redis-server on the folder try
 * the same port, and the system gives it to one of them only, however the others died: two servers never write to the
 * same files. A server that a killed Muster left behind is found there, and ended cleanly before the next one starts.
 */

import { randomInt } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { askPort, endServer } from "./data-holder.js";

export interface DataPortDeps {
  /** The folder that the server writes to; exists. */
  data: string;
  /** Tells the user what goes on. */
  say(line: string): void;
}

/** Below what systems hand out by themselves, so that it is still free next time. */
const PORTS = { lowest: 20_000, highest: 32_767 };
const MAX_STRANGERS = 20;
/** A Muster that was killed is connected until the system has closed its sockets. */
const GONE_DEADLINE_MS = 1_000;
const END_DEADLINE_MS = 30_000;
const POLL_MS = 50;

/** A port that nobody listens on. @throws Error when another Muster works on the folder. */
export async function settleDataPort({ data, say }: DataPortDeps): Promise<number> {
  const file = join(data, "port");
  for (let strangers = 0; strangers < MAX_STRANGERS; ) {
    const port = await keptPort(file);
    const holder = await askPatiently(port, data);
    switch (holder.kind) {
      case "nobody":
        return port;
      case "stranger":
        strangers++;
        await writeFile(file, `${choosePort()}\n`);
        break;
      case "silent":
        throw new Error(
          `port ${port}, where the redis-server of ${data} would be, is held by somebody who does not answer; ` +
            `stop it (ss -ltnp "sport = :${port}" names it), or delete ${file} if it is none of Muster's`,
        );
      case "ours":
        if (holder.users.length > 0) {
          throw new Error(
            `another Muster works on ${data} (its redis-server has the pid ${holder.pid}); ` +
              "stop that one, or set MUSTER_DATA_DIR to a folder of its own",
          );
        }
        say(
          `An earlier Muster left its redis-server behind (pid ${holder.pid}); ending it, its data is kept.`,
        );
        await endLeftBehind(port, data, holder.pid);
    }
  }
  throw new Error(`${MAX_STRANGERS} ports were all taken by others; free some from ${PORTS.lowest} on`);
}

async function askPatiently(port: number, data: string) {
  const startedAt = performance.now();
  for (;;) {
    const holder = await askPort(port, data);
    const isUsed = holder.kind === "ours" && holder.users.length > 0;
    if (!isUsed || performance.now() - startedAt > GONE_DEADLINE_MS) return holder;
    await delay(POLL_MS);
  }
}

async function endLeftBehind(port: number, data: string, pid: number): Promise<void> {
  await endServer(port);
  const startedAt = performance.now();
  while ((await askPort(port, data)).kind !== "nobody") {
    if (performance.now() - startedAt > END_DEADLINE_MS) {
      throw new Error(
        `the redis-server that an earlier Muster left behind (pid ${pid}) does not end; stop it`,
      );
    }
    await delay(POLL_MS);
  }
}

async function keptPort(file: string): Promise<number> {
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => "");
    const port = /^\d{1,5}\n$/.test(text) ? Number(text) : 0;
    if (port >= PORTS.lowest && port <= PORTS.highest) return port;
    if (text !== "") await rm(file);
    await createWhole(file, `${choosePort()}\n`);
  }
}

/** Nobody ever reads half of it, and of two who create it at once one wins. */
async function createWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, text);
  try {
    await link(draft, file);
    await rm(draft);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") await rm(draft);
    // A file system without links.
    else await rename(draft, file);
  }
}

function choosePort(): number {
  return randomInt(PORTS.lowest, PORTS.highest + 1);
}
