/**
 * Which jobs count as short, by what a real LiveKit tells of stock Python agents that leave their room by themselves.
 * Runs where LIVEKIT_SERVER_BIN names a livekit-server.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { pythonWithSdk } from "../sdk/python-environment.js";
import { SDK_DEADLINE_MS, startPythonWorker } from "../sdk/worker-process.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { People } from "./people.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

let redis: RedisServer;
let tap: WebhookTap;
let server: LivekitServer;
let muster: LiveMuster;
let people: People;

const keys = { apiKey: API_KEY, apiSecret: API_SECRET };

describe.skipIf(LIVEKIT_SERVER_BIN === "")(
  "an agent that leaves a caller behind",
  { timeout: 2 * SDK_DEADLINE_MS },
  () => {
    beforeAll(async () => {
      redis = await startRedis();
      tap = await startWebhookTap();
      server = await startLivekitServer({ ...keys, redis, webhookUrl: tap.url });
      people = new People({ ...keys, server });
      muster = await startLiveMuster({
        MUSTER_LIVEKIT_URL: server.url,
        MUSTER_WORKER_LIVEKIT_URL: server.wsUrl,
      });
      tap.leadTo(`${muster.url}/webhook`);
    }, SDK_DEADLINE_MS);
    beforeEach(({ onTestFailed }) => onTestFailed(() => muster.printOutput()));
    afterAll(async () => {
      await muster?.stop();
      await people?.end();
      await server?.kill();
      await tap?.stop();
      await redis?.stop();
    });

    it("at once had a short job; one that stayed for longer had none", async () => {
      const long = await ended("long", { AGENT_CONNECTS: "1", AGENT_STAYS_S: "5" });
      const brief = await ended("brief", { AGENT_CONNECTS: "1", AGENT_STAYS_S: "0.5" });
      // The looks come in the order in which the agents left.
      await waitUntil("it is short", async () => (await muster.recordOf(brief)).short === "1", {
        deadlineMs: SDK_DEADLINE_MS,
      });
      expect(await muster.recordOf(long)).not.toHaveProperty("short");
    });
  },
);

/** The order of a worker's only job, which went well; a caller is in the room, and stays. */
async function ended(name: string, env: Record<string, string>): Promise<string> {
  const environment = await pythonWithSdk();
  if ("missing" in environment) throw new Error(environment.missing);
  const worker = await startPythonWorker(environment.python, { agentName: name, url: muster.url, env });
  onTestFinished(() => worker.stop());
  await people.join("caller", name);
  const { id } = await muster.client.createDispatch(name, name);
  const hasEnded = async () => {
    const job = await muster.recordOf(id);
    return job.state === "ended" && job;
  };
  const job = await waitUntil("the job has ended", hasEnded, { deadlineMs: SDK_DEADLINE_MS });
  expect(job).toMatchObject({ outcome: "success" });
  return id;
}
