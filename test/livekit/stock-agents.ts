/**
 * Stock Python and Node workers whose agents come into rooms of a real livekit-server. One worker serves every case: what
 * an agent does is in the metadata of its dispatch.
 *
 *     const worker = await startStockAgent("python", { agentName: "greeter", url: muster.url });   // or "node"
 *     onTestFinished(() => worker.stop());
 *     await people.join("caller", room);
 *     await muster.client.createDispatch(room, "greeter", { metadata: does("raises_before") });
 *     await worker.entryIn(room);                        // its entry was called
 *     await worker.joinedIn(room);                       // ctx.connect() came back
 *     does("stays", { warmUpMs: 6_000 })                 // slow: connects after 6 s
 *
 * Muster runs with MUSTER_LIVEKIT_URL and MUSTER_WORKER_LIVEKIT_URL of the server, its webhooks led to Muster, as in
 * real-agents.test.ts. A worker takes about 2 s to register, a Python job about 1 s to begin, more on a busy machine: wait with
 * SDK_DEADLINE_MS. Without a Python SDK (offline) startStockAgent("python") throws: skip by hasPython() in beforeAll.
 */
import { pythonWithSdk } from "../sdk/python-environment.js";
import {
  type SdkWorker,
  type SdkWorkerOptions,
  startNodeWorker,
  startPythonWorker,
} from "../sdk/worker-process.js";

export type StockSdk = "python" | "node";

/** before, after: of the moment at which it joins. A death takes the job's process without a word; the worker lives on. */
export type Deed =
  | "stays"
  | "leaves"
  | "raises_before"
  | "raises_after"
  | "dies_before"
  | "dies_after"
  /** Ends in good order, and was never in the room. */
  | "ends_unjoined"
  /** Neither joins nor returns. */
  | "hangs";

export interface DeedOptions {
  /** Until it joins. */
  warmUpMs?: number;
  /**
   * From then until it leaves. Who leaves in the very moment, as Python can, is told as participant_connection_aborted: its
   * media was not up yet.
   */
  afterMs?: number;
}

/** The metadata of a dispatch whose agent does this. */
export function does(deed: Deed, { warmUpMs = 0, afterMs = 500 }: DeedOptions = {}): string {
  return JSON.stringify({ does: deed, warm_up_ms: warmUpMs, after_ms: afterMs });
}

/** Whether the Python SDK is at hand. Installs it the first time: allow INSTALL_DEADLINE_MS. */
export async function hasPython(): Promise<boolean> {
  return "python" in (await pythonWithSdk());
}

/** Resolves once the worker is registered. @throws Error when it cannot, or when there is no Python SDK */
export async function startStockAgent(sdk: StockSdk, options: SdkWorkerOptions): Promise<SdkWorker> {
  if (sdk === "node")
    return await startNodeWorker({ ...options, env: { ...options.env, AGENT_FILE: "room-agent.mjs" } });
  const environment = await pythonWithSdk();
  if ("missing" in environment) throw new Error(`no Python SDK here: ${environment.missing}`);
  return await startPythonWorker(environment.python, options, "room_worker.py");
}
