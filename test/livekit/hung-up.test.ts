/**
 * Callers who hang up while no agent is free, in the rooms of a real livekit-server: nobody is sent to them, and those who
 * still wait are served as if the others had never stood in line.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type SimulatedWorker, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { MusterDesk } from "./muster-desk.js";
import { People } from "./people.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

let redis: RedisServer;
let tap: WebhookTap;
let server: LivekitServer;
let muster: LiveMuster;
let people: People;
let desk: MusterDesk;

describe.skipIf(LIVEKIT_SERVER_BIN === "")("callers who hang up", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    redis = await startRedis();
    tap = await startWebhookTap();
    const keys = { apiKey: API_KEY, apiSecret: API_SECRET };
    server = await startLivekitServer({ ...keys, redis, webhookUrl: tap.url });
    muster = await startLiveMuster({ MUSTER_LIVEKIT_URL: server.url });
    tap.leadTo(`${muster.url}/webhook`);
    people = new People({ ...keys, server });
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

  it("three while no worker is free: the fourth, who stayed, is the next one, and nobody goes to the others", async () => {
    const rooms = ["gone-1", "gone-2", "gone-3", "stays"];
    const callers = [];
    const orders = [];
    for (const room of rooms) {
      callers.push(await people.join("caller", room));
      orders.push(await desk.order({ room, agent_name: "busy" }));
    }
    const [, , , fourth] = orders;
    if (fourth === undefined) throw new Error("there are four");
    await waitUntil(
      "the fourth stands behind the others",
      async () => (await desk.job(fourth)).position === 3,
    );
    for (const caller of callers.slice(0, 3)) await caller.leave();
    // By their rooms' end, or as long after them as livekit-server would have kept these.
    for (const order of orders.slice(0, 3)) {
      const { outcome, cause } = await waitUntil("who hung up waits no more", async () => {
        const job = await desk.job(order);
        return job.state === "ended" ? job : undefined;
      });
      expect({ outcome, is: ["room_closed", "caller_left"].includes(cause) }).toEqual({
        outcome: "canceled",
        is: true,
      });
    }
    expect(await desk.job(fourth)).toMatchObject({ state: "parked", position: 0 });
    const free = await worker("busy");
    await waitUntil("the fourth is served", () => free.assigned.length > 0);
    await waitUntil("it runs", async () => (await desk.job(fourth)).state === "running");
    expect(free.offered).toHaveLength(1);
    expect(free.assigned.map(({ room }) => room)).toEqual(["stays"]);
  });

  it("one who says so waits for the room's next life, and is served there", async () => {
    const first = await people.join("caller", "kept");
    const order = await desk.order({ room: "kept", agent_name: "later", keep_waiting: true });
    const sid = await waitUntil("it is bound", async () => (await desk.read(order)).room_sid || undefined);
    await first.leave();
    await waitUntil("it is for another life", async () => {
      const { room_sid: next } = await desk.read(order);
      return next !== sid;
    });
    await people.join("caller", "kept");
    const free = await worker("later");
    await waitUntil("it is served", () => free.assigned.length > 0);
    expect(await desk.read(order)).toMatchObject({ state: "live", keep_waiting: true });
  });

  it("one who comes back in time is waited for", async () => {
    const first = await people.join("caller", "back");
    const order = await desk.order({ room: "back", agent_name: "patient" });
    const sid = await waitUntil("it is bound", async () => (await desk.read(order)).room_sid || undefined);
    await first.leave();
    await people.join("caller", "back");
    const free = await worker("patient");
    await waitUntil("it is served", () => free.assigned.length > 0);
    expect(await desk.read(order)).toMatchObject({ state: "live", room_sid: sid });
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
