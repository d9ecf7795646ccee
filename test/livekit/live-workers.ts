/** Owns workers at the Muster of a house, whose agents come into real rooms. Each is gone with the test that started it. */
import { onTestFinished } from "vitest";
import { type SimulatedWorker, type SimulatedWorkerOptions, startWorker } from "../kit/simulated-worker.js";
import { pythonWithSdk } from "../sdk/python-environment.js";
import {
  type SdkWorker,
  type SdkWorkerOptions,
  startNodeWorker,
  startPythonWorker,
} from "../sdk/worker-process.js";
import type { LiveHouse } from "./live-house.js";

/** A simulated one: it takes what it is offered, its agent joins, and nothing that it is told makes that one leave. */
export async function joiningWorker(
  { muster, desk, people }: LiveHouse,
  agentName: string,
  { type = 0, ...options }: Partial<SimulatedWorkerOptions> & { type?: number } = {},
): Promise<SimulatedWorker> {
  const started = await startWorker({
    ...{ url: muster.url, token: await desk.token(), register: { agentName, type } },
    watch: {
      ...{ registered: () => {}, lost: () => {}, offered: () => {}, over: () => {} },
      started: ({ token }) =>
        void people.enter(token).catch((error: unknown) => process.stdout.write(`${error}\n`)),
    },
    ...options,
  });
  started.sample();
  onTestFinished(() => started.close());
  return started;
}

/** A stock one of the Node SDK, whose agent connects and stays unless `env` says otherwise (sdk/node/agent.mjs). */
export async function nodeWorker(
  { muster }: LiveHouse,
  agentName: string,
  { url = muster.url, env = { AGENT_CONNECTS: "1" } }: Partial<SdkWorkerOptions> = {},
): Promise<SdkWorker> {
  const started = await startNodeWorker({ agentName, url, env });
  onTestFinished(() => started.stop());
  return started;
}

/** A stock one of the Python SDK; `env` says what its agent does (sdk/python/worker.py). */
export async function pythonWorker(
  { muster }: LiveHouse,
  agentName: string,
  env: Record<string, string>,
): Promise<SdkWorker> {
  const environment = await pythonWithSdk();
  if ("missing" in environment) throw new Error(environment.missing);
  const started = await startPythonWorker(environment.python, { agentName, url: muster.url, env });
  onTestFinished(() => started.stop());
  return started;
}
