/**
 * The end of rooms that Muster makes, at a real livekit-server: the same as of rooms that nobody but livekit-server made. An
 * agent that is alone is out after the room's own time-outs, and a room that closed too early is made again.
 */
import { RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type SimulatedWorker, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { MusterDesk } from "./muster-desk.js";
import { People } from "./people.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

const DEADLINE_MS = 30_000;
/** livekit-server's own, as the tests start it. */
const EMPTY_S = 3;
const LEFT_S = 1;

let redis: RedisServer;
let tap: WebhookTap;
let server: LivekitServer;
let muster: LiveMuster;
let people: People;
let rooms: RoomServiceClient;
let desk: MusterDesk;

describe.skipIf(LIVEKIT_SERVER_BIN === "")("rooms that Muster makes", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    redis = await startRedis();
    tap = await startWebhookTap();
    const keys = { apiKey: API_KEY, apiSecret: API_SECRET };
    server = await startLivekitServer({ ...keys, redis, webhookUrl: tap.url });
    muster = await startLiveMuster({ MUSTER_LIVEKIT_URL: server.url });
    tap.leadTo(`${muster.url}/webhook`);
    people = new People({ ...keys, server });
    rooms = new RoomServiceClient(server.url, API_KEY, API_SECRET);
    desk = new MusterDesk(muster.url);
  }, 90_000);
  beforeEach(({ onTestFailed }) => onTestFailed(() => muster.printOutput()));
  afterAll(async () => {
    await people?.end();
    await muster?.stop();
    await server?.kill();
    await tap?.stop();
    await redis?.stop();
  });

  const live = async (room: string) => (await rooms.listRooms([room]))[0];
  const madeFor = (room: string) => waitUntil("the room is there", () => live(room));

  it("have livekit-server's own time-outs, and an agent that nobody joins is out after them", async () => {
    const served = await worker("alone");
    const order = await desk.order({ room: "alone", agent_name: "alone" });
    const made = await madeFor("alone");
    expect(made).toMatchObject({ emptyTimeout: EMPTY_S, departureTimeout: LEFT_S });
    await waitUntil("the agent is there", async () => (await rooms.listParticipants("alone")).length === 1);
    await waitUntil("it is out, and the room over", async () => (await live("alone")) === undefined, {
      deadlineMs: DEADLINE_MS,
    });
    await waitUntil("so is its order", async () => (await desk.read(order)).state === "ended");
    await waitUntil("its worker is free", () => served.stopped.length > 0);
    expect(await desk.job(order)).toMatchObject({ state: "ended", cause: "room_finished" });
  });

  it("close after the last caller, as those of livekit-server do, whoever is left", async () => {
    await worker("greets");
    await desk.order({ room: "greeted", agent_name: "greets" });
    await madeFor("greeted");
    const caller = await people.join("caller", "greeted");
    await waitUntil("both are there", async () => (await rooms.listParticipants("greeted")).length === 2);
    await caller.leave();
    await waitUntil("the room is over", async () => (await live("greeted")) === undefined, {
      deadlineMs: DEADLINE_MS,
    });
  });

  it("are made again as often as they close while an order waits that nobody was there for, and are then served", async () => {
    const order = await desk.order({ room: "again", agent_name: "late" });
    const first = await madeFor("again");
    const next = await waitUntil(
      "it is made again",
      async () => {
        const room = await live("again");
        return room !== undefined && room.sid !== first.sid ? room : undefined;
      },
      { deadlineMs: DEADLINE_MS },
    );
    await waitUntil("the order is for that life", async () => (await desk.read(order)).room_sid === next.sid);
    await people.join("caller", "again");
    await worker("late");
    await waitUntil("it is served", async () => (await desk.job(order)).state === "running");
  });
});

/** It takes what it is offered, and its agent joins. */
async function worker(agentName: string): Promise<SimulatedWorker> {
  const started = await startWorker({
    ...{ url: muster.url, token: await desk.token(), register: { agentName, type: 0 }, reports: true },
    watch: {
      ...{ registered: () => {}, lost: () => {}, offered: () => {}, over: () => {} },
      started: ({ token }) =>
        void people.enter(token).catch((error: unknown) => process.stdout.write(`${error}\n`)),
    },
  });
  started.sample();
  onTestFinished(() => started.close());
  return started;
}
