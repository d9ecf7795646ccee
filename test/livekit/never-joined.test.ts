/**
 * What becomes of jobs whose agents never come into their room, whatever their workers say: stock Python agents that break
 * before they connect and report success, stock Node agents that die and report nothing. Told of by webhooks, and without.
 * Runs where LIVEKIT_SERVER_BIN names a livekit-server.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { pythonWithSdk } from "../sdk/python-environment.js";
import { SDK_DEADLINE_MS, startNodeWorker, startPythonWorker } from "../sdk/worker-process.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { People } from "./people.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

let redis: RedisServer;
let tap: WebhookTap;
let server: LivekitServer;
let muster: LiveMuster;
let people: People;

const keys = { apiKey: API_KEY, apiSecret: API_SECRET };
beforeAll(async () => {
  if (LIVEKIT_SERVER_BIN === "") return;
  redis = await startRedis();
  tap = await startWebhookTap();
  server = await startLivekitServer({ ...keys, redis, webhookUrl: tap.url });
  people = new People({ ...keys, server });
}, SDK_DEADLINE_MS);
afterAll(async () => {
  await people?.end();
  await server?.kill();
  await tap?.stop();
  await redis?.stop();
});

const isTold = [
  ["webhooks tell", true],
  ["no webhook tells", false],
] as const;

describe.skipIf(LIVEKIT_SERVER_BIN === "").each(isTold)(
  "an agent that never joins, where %s",
  { timeout: 2 * SDK_DEADLINE_MS },
  (how, withWebhooks) => {
    const roomOf = (name: string) => `${name}, ${how}`;
    beforeAll(async () => {
      muster = await startLiveMuster({
        MUSTER_LIVEKIT_URL: server.url,
        MUSTER_WORKER_LIVEKIT_URL: server.wsUrl,
        MUSTER_START_DEADLINE_MS: "6000",
      });
      if (withWebhooks) tap.leadTo(`${muster.url}/webhook`);
    }, SDK_DEADLINE_MS);
    beforeEach(({ onTestFailed }) => onTestFailed(() => muster.printOutput()));
    afterAll(() => muster?.stop());

    it("did not do its job while somebody waits: it is tried again, and fails with its last attempt", async () => {
      await python("broken", { AGENT_BREAKS: "1" });
      await people.join("caller", roomOf("waiting"));
      const job = await ended(roomOf("waiting"), "broken");
      expect(job).toMatchObject({ outcome: "failed", cause: "never_joined", attempts: "3" });
      expect(job.error).toBe("the agent never joined its room");
    });

    it("is nobody's failure in an empty room: the job is over, and not tried again", async () => {
      await python("absent", { AGENT_BREAKS: "1" });
      const job = await ended(roomOf("empty"), "absent");
      expect(job).toMatchObject({ outcome: "canceled", cause: "never_joined", attempts: "1" });
    });

    it("is not one that came, warmed up first or left soon: its worker is believed", async () => {
      await python("brief", { AGENT_CONNECTS: "1", AGENT_WARMS_UP_S: "3" });
      await people.join("caller", roomOf("brief"));
      expect(await ended(roomOf("brief"), "brief")).toMatchObject({ outcome: "success", attempts: "1" });
    });

    it("of a Node worker is replaced after its start deadline, while somebody waits", async () => {
      const dead = await startNodeWorker({ agentName: "node", url: muster.url, env: { AGENT_DIES: "1" } });
      onTestFinished(() => dead.stop());
      const room = roomOf("node");
      await people.join("caller", room);
      await muster.client.createDispatch(room, "node");
      await dead.entryIn(room);
      const good = await startNodeWorker({
        agentName: "node",
        url: muster.url,
        env: { AGENT_CONNECTS: "1" },
      });
      onTestFinished(() => good.stop());
      await good.entryIn(room);
    });
  },
);

async function python(agentName: string, env: Record<string, string>): Promise<void> {
  const environment = await pythonWithSdk();
  if ("missing" in environment) throw new Error(environment.missing);
  const worker = await startPythonWorker(environment.python, { agentName, url: muster.url, env });
  onTestFinished(() => worker.stop());
}

/** The job of a dispatch that is made now, once it has ended, as the ledger keeps it. */
async function ended(room: string, agent: string): Promise<Record<string, string>> {
  const { id } = await muster.client.createDispatch(room, agent);
  return await waitUntil(
    "the job has ended",
    async () => {
      const job = await muster.recordOf(id);
      return job.state === "ended" && job;
    },
    { deadlineMs: SDK_DEADLINE_MS },
  );
}
