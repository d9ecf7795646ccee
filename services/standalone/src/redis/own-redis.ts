/**
 * A redis-server of our own, for whoever has none: started as a child on a port of 127.0.0.1, its data in a local
 * folder, appended to disk every second, ended with us. Never touches a server that somebody else runs.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { settleDataPort } from "./data-port.js";
import type { RedisServerProgram } from "./unpack-debian.js";

export interface OwnRedis {
  url: string;
  pid: number;
  /** Resolves when the server ended by itself, with why; stays pending after stop(). */
  readonly died: Promise<string>;
  /** Writes what is unsaved and ends. */
  stop(): Promise<void>;
}

export interface OwnRedisDeps {
  program: RedisServerProgram;
  /** Folder that holds the data, made when missing. */
  folder: string;
  env: NodeJS.ProcessEnv;
  /** Tells the user what goes on. */
  say(line: string): void;
}

const READY = "Ready to accept connections";
const START_DEADLINE_MS = 30_000;

/** @throws Error when it does not start, or when another Muster works on the folder. */
export async function startOwnRedis({ program, folder, env, say }: OwnRedisDeps): Promise<OwnRedis> {
  const data = join(folder, "redis");
  await mkdir(data, { recursive: true });
  const port = await settleDataPort({ data, say });
  const child = spawn(program.path, redisArguments(port, data), {
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl-C reaches the whole foreground group; Redis must outlive our own drain.
    detached: true,
    env: program.libraryPath ? { ...env, LD_LIBRARY_PATH: program.libraryPath } : env,
  });
  const endWithUs = () => child.kill("SIGTERM");
  process.once("exit", endWithUs);
  const ended = new Promise<string>((resolve) =>
    child.once("exit", (code, signal) => resolve(`${signal ?? code}`)),
  );
  await untilReady(child);
  let stopping = false;
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    died: new Promise((resolve) => {
      void ended.then((how) => {
        process.removeListener("exit", endWithUs);
        if (!stopping) resolve(`redis-server ended (${how})`);
      });
    }),
    async stop() {
      stopping = true;
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function redisArguments(port: number, data: string): string[] {
  const options = {
    bind: "127.0.0.1",
    port: String(port),
    dir: data,
    appendonly: "yes",
    appendfsync: "everysec",
    save: "",
    "maxmemory-policy": "noeviction",
  };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Resolves when the server takes connections. @throws Error with the last lines of its output when it does not. */
async function untilReady(child: ChildProcess): Promise<void> {
  let output = "";
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) =>
        reject(new Error(`redis-server did not start (${why}):\n${output.slice(-2000)}`));
      timer = setTimeout(() => fail("not ready in 30 s"), START_DEADLINE_MS);
      child.once("error", (error) => fail(error.message));
      child.once("close", (code) => fail(`exit ${code}`));
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on("data", (chunk: Buffer) => {
          if (output.length < 100_000) output += chunk.toString();
          if (output.includes(READY)) resolve();
        });
      }
    });
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
