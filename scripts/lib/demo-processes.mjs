/** The processes of the demo: started with what it says only, watched, and ended. */

import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const STEP_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 10_000;
const POLL_MS = 2;
const TAIL_LINES = 20;

export function startChild(label, args, variables) {
  // A Redis or keys of the user's own are none of the demo's business.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(MUSTER|LIVEKIT)_/.test(name)),
  );
  const child = spawn(process.execPath, args, {
    env: { ...env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const exited = new Promise((resolve) => child.once("close", resolve));
  process.once("exit", () => child.kill("SIGTERM"));
  return {
    label,
    output: () => output,
    tail: () => {
      const lines = output.trimEnd().split("\n").slice(-TAIL_LINES);
      return lines.map((line) => `    ${line}`).join("\n");
    },
    ended: () => child.exitCode !== null || child.signalCode !== null,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Polls until `check` gives something; throws at the deadline, and when `child` has ended. */
export async function until(what, child, check) {
  const deadline = performance.now() + STEP_DEADLINE_MS;
  for (;;) {
    const value = await Promise.resolve()
      .then(check)
      .catch(() => undefined);
    if (value) return value;
    if (child.ended()) throw new Error(`${child.label} ended while waiting until ${what}`);
    if (performance.now() > deadline)
      throw new Error(`waited ${STEP_DEADLINE_MS / 1000} s in vain until ${what}`);
    await delay(POLL_MS);
  }
}

/** Of those that the system does not hand out by itself, so that nobody takes it in between. */
export async function freePort() {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    if (await isFree(port)) return port;
  }
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
