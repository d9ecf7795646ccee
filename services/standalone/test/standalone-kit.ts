/**
 * Owns Muster as a process for tests, with folders that go with it: started as its users start it, alone in a process
 * group as a terminal's foreground job is, and whatever it left running ended afterwards.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@muster/test/kit/ports";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach } from "vitest";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const START_DEADLINE_MS = 30_000;

export interface Muster {
  readonly port: number;
  readonly pid: number;
  readonly url: string;
  output(): string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
  signal(signal: NodeJS.Signals): void;
  /** As Ctrl-C does: to the whole process group. */
  interrupt(): void;
  ready(): Promise<void>;
  /** Of the redis-server that it started, from its banner and its data folder. */
  redisUrl(): string;
}

export interface MusterOptions {
  env?: Record<string, string>;
  args?: string[];
  port?: number;
}

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Runs after the test, last one first. */
export function cleanUp(clean: () => void | Promise<void>): void {
  cleanups.push(clean);
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "muster-standalone-"));
  cleanUp(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Says nothing of Redis: its data folder, or url, is in `env`. */
export async function runMuster({ env = {}, args = [], port: wanted }: MusterOptions): Promise<Muster> {
  const port = wanted ?? (await freePort());
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("MUSTER_"));
  const child = spawn(process.execPath, [MAIN, ...args], {
    detached: true,
    env: {
      ...Object.fromEntries(inherited),
      MUSTER_HOST: "127.0.0.1",
      MUSTER_PORT: String(port),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += String(chunk)));
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once("close", (code, signal) => resolve(signal ?? code)),
  );
  const { pid } = child;
  if (pid === undefined) throw new Error("node did not start");
  cleanUp(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  return {
    port,
    pid,
    url: `http://127.0.0.1:${port}`,
    output: () => output,
    exited,
    signal: (signal) => void child.kill(signal),
    interrupt: () => process.kill(-pid, "SIGINT"),
    ready: () =>
      waitUntil("Muster is ready", () => output.includes("Muster") && output.includes("is ready on"), {
        deadlineMs: START_DEADLINE_MS,
        invariant: () => {
          if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}:\n${output}`);
        },
      }).then(() => undefined),
    redisUrl: () => /redis:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? "",
  };
}

/** True while a process runs; one that has ended and was not waited for yet does not. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Ends a redis-server that a test has Muster leave behind, should the test fail before the next one took it. */
export function endAfterwards(pid: number): void {
  cleanUp(() => {
    if (isRunning(pid)) process.kill(pid, "SIGKILL");
  });
}
