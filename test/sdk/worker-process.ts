/**
 * Owns stock SDK workers for tests: real processes of the Node or the Python SDK, told where Muster is by the variables
 * that their users set, and what they wrote down of the jobs they ran.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET } from "./live-muster.js";

export interface AgentEvent {
  event: "prewarm" | "entry" | "joined" | "shutdown";
  atMs: number;
  job?: { id?: string; dispatchId?: string; room?: { name?: string } };
  jobId?: string;
  /** Of "joined". */
  room?: string;
  url?: string;
  token?: string;
}

export interface SdkWorker {
  events(): AgentEvent[];
  output(): string;
  /** The entry that ran for this room; waits for it. */
  entryIn(room: string): Promise<AgentEvent>;
  /** The agent is in this room (test/livekit/stock-agents.ts); waits for it. */
  joinedIn(room: string): Promise<AgentEvent>;
  /** Waits until the job's shutdown callback ran. */
  shutdownOf(jobId: string | undefined): Promise<AgentEvent>;
  /** Lets an entry end that stays (Python with AGENT_STAYS). */
  release(room: string): void;
  /** At once, with all its children. */
  stop(): Promise<void>;
}

export interface SdkWorkerOptions {
  agentName: string;
  url: string;
  env?: Record<string, string>;
}

/** An SDK takes seconds to start, and so does each of its job processes; longer when the machine is busy. */
export const SDK_DEADLINE_MS = 60_000;

const fileBeside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Resolves once the worker is registered. */
export function startNodeWorker(options: SdkWorkerOptions): Promise<SdkWorker> {
  return start(process.execPath, fileBeside("./node/worker.mjs"), options);
}

/** Resolves once the worker is registered. */
export function startPythonWorker(
  python: string,
  options: SdkWorkerOptions,
  script = "worker.py",
): Promise<SdkWorker> {
  return start(python, fileBeside(`./python/${script}`), options);
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) killGroup(child);
});

async function start(command: string, script: string, options: SdkWorkerOptions): Promise<SdkWorker> {
  const folder = mkdtempSync(join(tmpdir(), "muster-agent-"));
  const record = join(folder, "events.jsonl");
  const child = spawn(command, [script], {
    env: {
      ...process.env,
      LIVEKIT_URL: options.url.replace(/^http/, "ws"),
      LIVEKIT_API_KEY: API_KEY,
      LIVEKIT_API_SECRET: API_SECRET,
      AGENT_NAME: options.agentName,
      AGENT_RECORD: record,
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own: the SDKs leave job processes and fork servers behind when they are killed.
    detached: true,
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += String(chunk)));
  const exited = once(child, "exit").finally(() => running.delete(child));
  const events = () => readEvents(record);
  const find = (description: string, matches: (event: AgentEvent) => boolean) =>
    waitUntil(description, () => events().find(matches), { deadlineMs: SDK_DEADLINE_MS }).catch((error) => {
      throw new Error(`${(error as Error).message}\n${output}`);
    });
  const worker: SdkWorker = {
    output: () => output,
    events,
    entryIn: (room) =>
      find(`the entry runs for ${room}`, ({ event, job }) => event === "entry" && job?.room?.name === room),
    joinedIn: (room) =>
      find(`the agent joined ${room}`, (event) => event.event === "joined" && event.room === room),
    shutdownOf: (id) =>
      find(`job ${id} shut down`, ({ event, jobId }) => event === "shutdown" && jobId === id),
    release: (room) => writeFileSync(`${record}.${room}`, ""),
    async stop() {
      killGroup(child);
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await waitUntil("the worker registered", () => output.includes("registered AW_"), {
    deadlineMs: SDK_DEADLINE_MS,
    invariant: () => {
      if (child.exitCode !== null) throw new Error(`the worker exited with ${child.exitCode}:\n${output}`);
    },
  }).catch(async (error: unknown) => {
    await worker.stop();
    throw error;
  });
  return worker;
}

/**
 * Not SIGTERM: the Node SDK's close() asks a job process that is still starting to shut down, which never hears it, and
 * waits for that a minute. How a worker leaves is not what these tests are about.
 */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
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
