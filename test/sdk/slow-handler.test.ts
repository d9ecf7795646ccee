/**
 * Stock workers whose request handler thinks longer than an offer is usually given: they get their jobs, and nothing is held
 * against them. Each kind is skipped as in its own suite, where its SDK is not to be had.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed, onTestFinished } from "vitest";
import { type LiveMuster, startLiveMuster } from "./live-muster.js";
import { INSTALL_DEADLINE_MS, type PythonEnvironment, pythonWithSdk } from "./python-environment.js";
import { SDK_DEADLINE_MS, type SdkWorker, startNodeWorker, startPythonWorker } from "./worker-process.js";

/** Longer than MUSTER_OFFER_TIMEOUT_MS is by default, shorter than the longest that is given. */
const ANSWERS_AFTER_S = 5;
const env = { AGENT_ANSWERS_AFTER: String(ANSWERS_AFTER_S) };

describe("a request handler that takes 5 s", { timeout: 4 * SDK_DEADLINE_MS }, () => {
  let muster: LiveMuster;
  let environment: PythonEnvironment;
  beforeAll(async () => {
    environment = await pythonWithSdk();
    muster = await startLiveMuster();
  }, INSTALL_DEADLINE_MS + SDK_DEADLINE_MS);
  afterAll(() => muster.stop());

  const start: Record<string, (agentName: string) => Promise<SdkWorker>> = {
    node: (agentName) => startNodeWorker({ agentName, url: muster.url, env }),
    python: (agentName) =>
      startPythonWorker("python" in environment ? environment.python : "", {
        agentName,
        url: muster.url,
        env,
      }),
  };

  it.each(["node", "python"])(
    "of a stock %s worker: each job is its first offer's, and it is well",
    async (sdk) => {
      if (sdk === "python" && "missing" in environment) {
        process.stdout.write(`stock Python worker skipped: ${environment.missing}\n`);
        return;
      }
      const agent = `slow-${sdk}`;
      const worker = await start[sdk]?.(agent);
      onTestFailed(() => muster.printOutput());
      onTestFinished(() => worker?.stop());
      for (const room of [`${agent}-1`, `${agent}-2`]) {
        await muster.client.createDispatch(room, agent);
        await worker?.entryIn(room);
        expect(await muster.recordIn(room)).toMatchObject({ offers: "1", epoch: "1", attempts: "1" });
      }
      const { session } = await muster.recordIn(`${agent}-2`);
      const record = await muster.sessionOf(session ?? "");
      expect(record).not.toHaveProperty("struck");
      expect(record).not.toHaveProperty("health");
      expect(Number(record.answer_ms)).toBeGreaterThanOrEqual(ANSWERS_AFTER_S * 1_000);
    },
  );
});
