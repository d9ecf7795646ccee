/**
 * Owns the processes of Redis servers for tests: starts them on free ports of 127.0.0.1, knows when they answer, and
 * ends them with the process that started them. What they are started for is their callers' business.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { freePort } from "./ports.js";
import { waitUntil } from "./wait-until.js";

export interface RedisProcess {
  readonly port: number;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again with the same arguments, after kill() or in place of the one that runs. */
  restart(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

const MAX_PORT_TRIES = 5;
const START_DEADLINE_MS = 15_000;

/** Runs redis-server with what `argsFor` says for a port; returns once it answers. */
export async function startRedisProcess(
  directory: string,
  argsFor: (port: number) => string[],
): Promise<RedisProcess> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const args = argsFor(port);
    let child = launch(args, directory);
    const kill = () => end(child);
    try {
      await untilItAnswers(child, port);
      return {
        port,
        kill,
        async restart() {
          await kill();
          child = launch(args, directory);
          await untilItAnswers(child, port);
        },
        signal: (signal) => void child.kill(signal),
      };
    } catch (error) {
      await kill();
      // Somebody may have taken the port since it was found free.
      if (attempt === MAX_PORT_TRIES || notRun.has(child)) throw error;
    }
  }
}

const running = new Set<ChildProcess>();
/** Why a process never came to be. */
const notRun = new WeakMap<ChildProcess, string>();

function launch(args: string[], directory: string): ChildProcess {
  endAllWithThisProcess();
  const command = process.env.MUSTER_REDIS_SERVER ?? "redis-server";
  const child = spawn(command, args, { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.once("error", (error) => {
    running.delete(child);
    notRun.set(
      child,
      `cannot run ${command} (${error.message}); install it or name it by MUSTER_REDIS_SERVER`,
    );
  });
  return child;
}

let isWatchingExit = false;

/** A test process that ends by itself or by a signal leaves no server behind. */
function endAllWithThisProcess(): void {
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.once("exit", () => {
    for (const child of running) child.kill("SIGKILL");
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
}

function isOver(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess): Promise<void> {
  if (isOver(child)) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function untilItAnswers(child: ChildProcess, port: number): Promise<void> {
  await waitUntil(`redis-server answers on port ${port}`, async () => isUp(await ping(port)), {
    deadlineMs: START_DEADLINE_MS,
    everyMs: 5,
    invariant: () => {
      const reason = notRun.get(child) ?? `redis-server ended before it answered on port ${port}`;
      if (isOver(child)) throw new Error(reason);
    },
  });
}

/** One that wants a password is up too; one that still loads its data says LOADING, and is not. */
function isUp(answer: string): boolean {
  return answer.startsWith("+PONG") || answer.startsWith("-NOAUTH");
}

/** One PING on a socket of its own, so that nothing retries behind our back. */
function ping(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.setTimeout(1_000, () => socket.destroy(new Error("no answer to PING within a second")));
    socket.once("error", reject);
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
