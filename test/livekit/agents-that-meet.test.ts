/**
 * One agent for one dispatch beside a real livekit-server: a stock Node worker that is registered at livekit-server itself
 * beside one at Muster, orders of an agent that is one per room, and the agent of a job whose worker was lost.
 * Runs where LIVEKIT_SERVER_BIN names a livekit-server.
 */
import { RoomConfiguration, RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { adminToken } from "../kit/access-tokens.js";
import { startFlakyProxy } from "../kit/flaky-proxy.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, JS_RUNNING, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { SDK_DEADLINE_MS, type SdkWorker, startNodeWorker } from "../sdk/worker-process.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { People } from "./people.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

const AGENT = "greeter";
/** Two agents of one dispatch are in a room for no longer. */
const TOGETHER_MS = 2_000;
/** A stop that nobody can be told of has its agent put out by then: 3 s, and the timers' own pace. */
const PUT_OUT_MS = 6_000;

let redis: RedisServer;
let tap: WebhookTap;
let server: LivekitServer;
let muster: LiveMuster;
let people: People;
let rooms: RoomServiceClient;

describe.skipIf(LIVEKIT_SERVER_BIN === "")(
  "agents that meet beside a real livekit-server",
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

    it("the agent of a job that is deleted after its worker's reconnect leaves the room in seconds", async () => {
      const proxy = await startFlakyProxy({
        target: { host: "127.0.0.1", port: Number(new URL(muster.url).port) },
      });
      onTestFinished(() => proxy.stop());
      const lost = await worker(`http://127.0.0.1:${proxy.port}`);
      await people.join("caller", "orphaned");
      const dispatch = await muster.client.createDispatch("orphaned", AGENT);
      await agentsAre("orphaned", 1);
      const isRunning = async () => {
        const made = await muster.client.listDispatch("orphaned");
        return made.find(({ id }) => id === dispatch.id)?.state?.jobs[0]?.state?.status === JS_RUNNING;
      };
      await waitUntil("it is known to run", isRunning);
      proxy.cut();
      const registered = () => lost.output().split("registered AW_").length - 1;
      await waitUntil("the worker is back on another session", () => registered() > 1, {
        deadlineMs: SDK_DEADLINE_MS,
      });
      expect(await agentsIn("orphaned")).toHaveLength(1);
      const deletedAtMs = Date.now();
      await muster.client.deleteDispatch(dispatch.id, "orphaned");
      await agentsAre("orphaned", 0);
      expect(Date.now() - deletedAtMs).toBeLessThan(PUT_OUT_MS);
    });

    it("an agent of a token that was dispatched explicitly too comes once where it is one per room", async () => {
      const set = await fetch(`${muster.url}/v1/placement-policies?agent_name=${AGENT}`, {
        method: "PUT",
        headers: {
          authorization: `Bearer ${adminToken(API_KEY, API_SECRET)}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({ one_per_room: true }),
      });
      expect(set.status).toBe(200);
      await worker();
      const dispatch = await muster.client.createDispatch("once", AGENT);
      await people.join("caller", "once", { roomConfig: named() });
      await agentsAre("once", 1);
      const again = await muster.client.createDispatch("once", AGENT);
      expect(again.id).toBe(dispatch.id);
      const jobs = (await muster.client.listDispatch("once")).filter(({ agentName }) => agentName === AGENT);
      expect(jobs.map(({ id }) => id)).toEqual([dispatch.id]);
      expect(await agentsIn("once")).toHaveLength(1);
    });

    it("a token dispatch that a worker at livekit-server itself takes too has one agent", async () => {
      const ours = await worker();
      const theirs = await worker(server.url);
      await people.join("caller", "both", { roomConfig: named() });
      await theirs.entryIn("both");
      const metAtMs: number[] = [];
      await waitUntil(
        "theirs alone is in the room",
        async () => {
          const agents = await agentsIn("both");
          if (agents.length > 1) metAtMs.push(Date.now());
          return (
            agents.length === 1 && agents.every(({ attributes }) => attributes["muster.job"] === undefined)
          );
        },
        { deadlineMs: SDK_DEADLINE_MS },
      );
      expect((metAtMs.at(-1) ?? 0) - (metAtMs[0] ?? 0)).toBeLessThan(TOGETHER_MS);
      const metrics = await (await fetch(`${muster.url}/metrics`)).text();
      expect(metrics).toMatch(/^muster_dispatches_doubled_total.* 1$/m);
      await people.join("caller", "next", { roomConfig: named() });
      await theirs.entryIn("next");
      await agentsAre("next", 1);
      // The first room told Muster of that worker.
      const entries = ours
        .events()
        .filter(({ event, job }) => event === "entry" && job?.room?.name === "next");
      expect(entries).toEqual([]);
    });
  },
);

const named = () => new RoomConfiguration({ agents: [{ agentName: AGENT }] });

async function worker(url = muster.url): Promise<SdkWorker> {
  const started = await startNodeWorker({ ...{ agentName: AGENT, url }, env: { AGENT_CONNECTS: "1" } });
  onTestFinished(() => started.stop());
  return started;
}

async function agentsIn(room: string) {
  const KIND_AGENT = 4;
  return (await rooms.listParticipants(room)).filter(({ kind }) => kind === KIND_AGENT);
}

const agentsAre = (room: string, count: number) =>
  waitUntil(`${count} agents are in the room`, async () => (await agentsIn(room)).length === count, {
    deadlineMs: SDK_DEADLINE_MS,
  });
