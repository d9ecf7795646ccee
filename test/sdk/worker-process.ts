/**
 * Owns stock SDK workers for tests: real processes of the Node or the Python SDK, told where Muster is by the variables
 * that their users set, and what they wrote down of the jobs they ran.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../kit/wait-until.js";

export interface AgentEvent {
  event: "prewarm" | "entry" | "shutdown";
  atMs: number;
  job?: Record<string, unknown>;
  jobId?: string;
  url?: string;
  token?: string;
}

export interface SdkWorker {
  events(): AgentEvent[];
  output(): string;
  /** SIGTERM, and SIGKILL should it not end in time. */
  stop(): Promise<void>;
}

export interface SdkWorkerOptions {
  command: string;
  args: string[];
  agentName: string;
  url: string;
  apiKey: string;
  apiSecret: string;
  env?: Record<string, string>;
}

const STOP_DEADLINE_MS = 10_000;
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export function startSdkWorker(options: SdkWorkerOptions): SdkWorker {
  const folder = mkdtempSync(join(tmpdir(), "muster-agent-"));
  const record = join(folder, "events.jsonl");
  const child = spawn(options.command, options.args, {
    env: {
      ...process.env,
      LIVEKIT_URL: options.url.replace(/^http/, "ws"),
      LIVEKIT_API_KEY: options.apiKey,
      LIVEKIT_API_SECRET: options.apiSecret,
      AGENT_NAME: options.agentName,
      AGENT_RECORD: record,
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += String(chunk)));
  child.once("exit", () => running.delete(child));
  return {
    output: () => output,
    events: () => readEvents(record),
    async stop() {
      child.kill("SIGTERM");
      await waitUntil("the worker ended", () => child.exitCode !== null || child.signalCode !== null, {
        deadlineMs: STOP_DEADLINE_MS,
      }).catch(() => child.kill("SIGKILL"));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function readEvents(file: string): AgentEvent[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  // The last line may be half written.
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as AgentEvent);
}
