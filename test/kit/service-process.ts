/**
 * Owns real service processes for tests: the built `dist/main.js` of a service, on a free port of 127.0.0.1, with its
 * output kept for the diagnosis. Nothing of a service runs inside the test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./ports.js";
import { waitUntil } from "./wait-until.js";

export type ServiceName = "gateway" | "dispatcher" | "api" | "standalone";

export interface ServiceProcess {
  readonly name: ServiceName;
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** What it wrote so far, both streams; of a long life the end. */
  output(): string;
  /** How many bytes it wrote so far, all told. */
  written(): number;
  /** Resolves when it is gone, whoever ended it: with its exit code, or null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** SIGTERM, also to a frozen one; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL: no word to anybody. */
  kill(): Promise<void>;
  /** SIGSTOP: sockets stay open and nothing answers, until thaw(). */
  freeze(): void;
  thaw(): void;
}

const KEPT_CHARACTERS = 4_000_000;

const root = fileURLToPath(new URL("../..", import.meta.url));
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * Starts a service and waits until it is ready. `env` holds its MUSTER_* variables; without MUSTER_PORT a port is chosen.
 * `checkout` is the folder whose build of it is run: this one's by default.
 */
export async function startService(
  name: ServiceName,
  env: Record<string, string>,
  checkout: string = root,
): Promise<ServiceProcess> {
  const port = env.MUSTER_PORT === undefined ? await freePort() : Number(env.MUSTER_PORT);
  const child = spawn(process.execPath, [join(checkout, "services", name, "dist/main.js")], {
    cwd: checkout,
    env: { ...withoutMuster(process.env), MUSTER_HOST: "127.0.0.1", MUSTER_PORT: String(port), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let output = "";
  let written = 0;
  const keep = (chunk: Buffer) => {
    written += chunk.byteLength;
    output += String(chunk);
    // Cut rarely, since each cut copies.
    if (output.length > 2 * KEPT_CHARACTERS) output = output.slice(-KEPT_CHARACTERS);
  };
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", keep);
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  void exited.then(() => running.delete(child));
  const url = `http://127.0.0.1:${port}`;
  await waitUntil(`${name} is ready`, async () => (await fetch(`${url}/readyz`)).ok, {
    deadlineMs: 20_000,
    everyMs: 50,
    // Nothing comes any more, so nobody waits for it until the deadline.
    invariant: () => {
      if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}:\n${output}`);
    },
  }).catch((error: Error) => {
    child.kill("SIGKILL");
    throw new Error(`${error.message}\n${output.slice(-4_000)}`);
  });
  return {
    name,
    port,
    url,
    pid: child.pid ?? 0,
    output: () => output,
    written: () => written,
    exited,
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    async stop() {
      child.kill("SIGTERM");
      // A frozen one would keep the signal for later.
      child.kill("SIGCONT");
      return exited;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function withoutMuster(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("MUSTER_")));
}
