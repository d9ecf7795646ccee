/**
 * The whole thing, with nothing played: a real livekit-server, a caller over WebRTC, stock workers whose agents come into
 * the room, and Muster between them. Runs where a livekit-server is at hand.
 */
import { RoomConfiguration, RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, JS_RUNNING, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { SDK_DEADLINE_MS, type SdkWorker, startNodeWorker } from "../sdk/worker-process.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { People } from "./people.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

const AGENT = "greeter";
/** A worker that is killed says nothing to livekit-server, which takes its agent for gone after a while. */
const NOTICED_MS = 60_000;
/** From then on: the bound of the design. */
const REPLACED_MS = 2_000;

let redis: RedisServer;
let tap: WebhookTap;
let server: LivekitServer;
let muster: LiveMuster;
let people: People;
let rooms: RoomServiceClient;

describe.skipIf(LIVEKIT_SERVER_BIN === "")(
  "agents beside a real livekit-server",
  { timeout: 2 * SDK_DEADLINE_MS },
  () => {
    beforeAll(async () => {
      redis = await startRedis();
      tap = await startWebhookTap();
      const keys = { apiKey: API_KEY, apiSecret: API_SECRET };
      server = await startLivekitServer({ ...keys, redis, webhookUrl: tap.url });
      muster = await startLiveMuster({
        MUSTER_LIVEKIT_URL: server.url,
        MUSTER_WORKER_LIVEKIT_URL: server.wsUrl,
      });
      tap.leadTo(`${muster.url}/webhook`);
      people = new People({ ...keys, server });
      rooms = new RoomServiceClient(server.url, API_KEY, API_SECRET);
    }, SDK_DEADLINE_MS);
    beforeEach(({ onTestFailed }) => onTestFailed(() => muster.printOutput()));
    afterAll(async () => {
      await people?.end();
      await muster?.stop();
      await server?.kill();
      await tap?.stop();
      await redis?.stop();
    });

    it("a dispatch brings the agent into the room, and takes it out again", async () => {
      await worker();
      await people.join("caller", "dispatched");
      const dispatch = await muster.client.createDispatch("dispatched", AGENT);
      await agentIn("dispatched");
      // Beside it is the automatic dispatch of livekit-server's own, which no worker here takes.
      const isRunning = async () => {
        const made = await muster.client.listDispatch("dispatched");
        return made.find(({ id }) => id === dispatch.id)?.state?.jobs[0]?.state?.status === JS_RUNNING;
      };
      await waitUntil("it is known to run", isRunning);
      await muster.client.deleteDispatch(dispatch.id, "dispatched");
      await waitUntil("the agent has left", async () => (await agentsIn("dispatched")).length === 0, {
        deadlineMs: SDK_DEADLINE_MS,
      });
    });

    it("an agent that is named in the caller's token comes, once", async () => {
      await worker();
      const roomConfig = new RoomConfiguration({
        agents: [{ agentName: AGENT, metadata: "from the token" }],
      });
      await people.join("caller", "by-token", { roomConfig });
      await agentIn("by-token");
      const dispatches = await muster.client.listDispatch("by-token");
      expect(dispatches.map(({ agentName, metadata }) => ({ agentName, metadata }))).toEqual([
        { agentName: AGENT, metadata: "from the token" },
      ]);
    });

    it("an agent whose worker died is replaced when livekit-server says that it is gone", async () => {
      const first = await worker();
      await people.join("caller", "replaced");
      await muster.client.createDispatch("replaced", AGENT);
      const [dead] = await agentIn("replaced");
      const second = await worker();
      await first.stop();
      await waitUntil("livekit-server says that it left", () => leftAtMs("replaced", dead?.sid), {
        deadlineMs: NOTICED_MS,
      });
      await second.entryIn("replaced");
      const entry = second.events().find(({ event }) => event === "entry");
      expect((entry?.atMs ?? 0) - (leftAtMs("replaced", dead?.sid) ?? 0)).toBeLessThan(REPLACED_MS);
      await waitUntil("the other is in the room, alone", async () => {
        const [agent, ...others] = await agentsIn("replaced");
        return agent !== undefined && agent.sid !== dead?.sid && others.length === 0;
      });
    });
  },
);

async function worker(): Promise<SdkWorker> {
  const started = await startNodeWorker({
    ...{ agentName: AGENT, url: muster.url },
    env: { AGENT_CONNECTS: "1" },
  });
  onTestFinished(() => started.stop());
  return started;
}

async function agentsIn(room: string) {
  const KIND_AGENT = 4;
  return (await rooms.listParticipants(room)).filter(({ kind }) => kind === KIND_AGENT);
}

const agentIn = (room: string) =>
  waitUntil(
    "an agent is in the room",
    async () => {
      const agents = await agentsIn(room);
      return agents.length > 0 && agents;
    },
    { deadlineMs: SDK_DEADLINE_MS },
  );

function leftAtMs(room: string, sid: string | undefined): number | undefined {
  return tap.of(room).find(({ body }) => {
    const { event, participant } = JSON.parse(body) as { event: string; participant?: { sid: string } };
    return event === "participant_left" && participant?.sid === sid;
  })?.atMs;
}
