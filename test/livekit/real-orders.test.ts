/**
 * What Muster asks of a real livekit-server: rooms for orders that have none, agents put out that do not leave, and what
 * rules, room configurations and a room's own metadata order. The workers are simulated, so that they can be stubborn;
 * their agents come into the room over WebRTC, with the token that they were given.
 */
import { AccessToken, RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type SimulatedWorker, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET, type LiveMuster, startLiveMuster } from "../sdk/live-muster.js";
import { LIVEKIT_SERVER_BIN, type LivekitServer, startLivekitServer } from "./livekit-server.js";
import { People } from "./people.js";
import { startWebhookTap, type WebhookTap } from "./webhook-tap.js";

const DEADLINE_MS = 30_000;
/** When it is looked for the agent of a stopped job. */
const PUT_OUT_MS = 3_000;
const KIND_AGENT = 4;

type Json = Record<string, unknown>;
interface Order extends Json {
  id: string;
  room_sid: string;
  jobs: { id: string; state: string; outcome: string | null }[];
}

let redis: RedisServer;
let tap: WebhookTap;
let server: LivekitServer;
let muster: LiveMuster;
let people: People;
let rooms: RoomServiceClient;

describe.skipIf(LIVEKIT_SERVER_BIN === "")("orders beside a real livekit-server", { timeout: 90_000 }, () => {
  beforeAll(async () => {
    redis = await startRedis();
    tap = await startWebhookTap();
    const keys = { apiKey: API_KEY, apiSecret: API_SECRET };
    server = await startLivekitServer({ ...keys, redis, webhookUrl: tap.url });
    muster = await startLiveMuster({ MUSTER_LIVEKIT_URL: server.url });
    tap.leadTo(`${muster.url}/webhook`);
    people = new People({ ...keys, server });
    rooms = new RoomServiceClient(server.url, API_KEY, API_SECRET);
  }, 90_000);
  beforeEach(({ onTestFailed }) => onTestFailed(() => muster.printOutput()));
  afterAll(async () => {
    await people?.end();
    await muster?.stop();
    await server?.kill();
    await tap?.stop();
    await redis?.stop();
  });

  it("the room of an order is made; a person comes into it, and then the agent, when there is one", async () => {
    const order = await makeOrder({ room: "made", agent_name: "late" });
    const made = await waitUntil("the room is there", async () => (await rooms.listRooms(["made"]))[0]);
    await people.join("caller", "made");
    await worker("late");
    await agentIn("made");
    const [room] = await rooms.listRooms(["made"]);
    expect(room?.sid).toBe(made.sid);
    await waitUntil("its job is known to run, in that life of the room", async () => {
      const { room_sid, jobs } = await readOrder(order);
      return room_sid === made.sid && jobs[0]?.state === "running";
    });
  });

  it("of an order for participants too; who comes into it has an agent", async () => {
    const order = await makeOrder({ room: "for-all", agent_name: "each", target: { for: "participants" } });
    await waitUntil("the room is there", async () => (await rooms.listRooms(["for-all"])).length === 1);
    expect(order.jobs).toEqual([]);
    await worker("each", "participant");
    await people.join("ann", "for-all");
    await agentIn("for-all");
  });

  it.each([
    ["of a deleted order", ({ id }: Order) => call("DELETE", `/v1/orders/${id}`)],
    ["of a terminated job", ({ jobs }: Order) => call("POST", `/v1/jobs/${jobs[0]?.id}/terminate`, {})],
  ])("the agent %s is put out of the room when it does not leave, after its time", async (name, end) => {
    const room = name.replaceAll(" ", "-");
    const stubborn = await worker(room);
    await people.join("caller", room);
    const order = await makeOrder({ room, agent_name: room });
    const agent = await agentIn(room);
    const endedAtMs = Date.now();
    await end(order);
    await waitUntil("its worker is told", () => stubborn.stopped.length > 0);
    await waitUntil("it is out", async () => (await agentsIn(room)).length === 0, {
      deadlineMs: DEADLINE_MS,
    });
    expect(Date.now() - endedAtMs).toBeGreaterThanOrEqual(PUT_OUT_MS - 100);
    const left = await waitUntil("livekit-server tells why", () => leftWebhook(room, agent.sid));
    expect(left).toMatchObject({ disconnectReason: "PARTICIPANT_REMOVED" });
    expect((await rooms.listParticipants(room)).map(({ identity }) => identity)).toEqual(["caller"]);
  });

  it("a rule brings its agents when a room starts whose name matches, once", async () => {
    await worker("ruled");
    await call("PUT", "/v1/rules/support", {
      when: { room_pattern: "support-*" },
      orders: [{ agent_name: "ruled", metadata: "by rule" }],
    });
    await people.join("caller", "support-1");
    await people.join("caller", "other-1");
    const agent = await agentIn("support-1");
    await people.join("second", "support-1");
    await people.join("second", "other-1");
    expect(await ordersFor("support-1", "ruled")).toMatchObject([{ metadata: "by rule" }]);
    expect(await ordersFor("other-1", "ruled")).toEqual([]);
    expect((await agentsIn("support-1")).map(({ sid }) => sid)).toEqual([agent.sid]);
  });

  it("a room whose metadata names a room configuration has its agents, as nobody but LiveKit made it", async () => {
    await worker("host");
    await worker("scribe");
    await call("PUT", "/v1/room-configurations/panel", {
      agents: [{ agent_name: "host" }, { agent_name: "scribe" }],
    });
    const metadata = JSON.stringify({ muster_configuration: "panel", topic: "rooms" });
    await rooms.createRoom({ name: "panel-1", metadata, emptyTimeout: 60 });
    await waitUntil("both are there", async () => (await agentsIn("panel-1")).length === 2, {
      deadlineMs: DEADLINE_MS,
    });
    for (const agent of ["host", "scribe"]) expect(await ordersFor("panel-1", agent)).toHaveLength(1);
  });

  it("a room that is made through Muster has the agents of its configuration once, whoever tells of it", async () => {
    await worker("tutor");
    await call("PUT", "/v1/room-configurations/lesson", {
      agents: [{ agent_name: "tutor", metadata: "of the lesson" }],
      metadata: JSON.stringify({ muster_configuration: "lesson" }),
    });
    const asked = { name: "lesson-1", configuration: "lesson", empty_timeout_s: 61, max_participants: 7 };
    const made = (await call("POST", "/v1/rooms", asked)) as { sid: string; orders: string[] };
    const [room] = await rooms.listRooms(["lesson-1"]);
    expect(room).toMatchObject({
      ...{ sid: made.sid, emptyTimeout: 61, maxParticipants: 7 },
      metadata: JSON.stringify({ muster_configuration: "lesson" }),
    });
    expect(made.orders).toHaveLength(1);
    await people.join("pupil", "lesson-1");
    await agentIn("lesson-1");
    // Of its start livekit-server told as well, and its metadata names the configuration again.
    await waitUntil("it was told", () =>
      tap.of("lesson-1").some(({ body }) => body.includes("room_started")),
    );
    expect(await ordersFor("lesson-1", "tutor")).toMatchObject([
      { id: made.orders[0], metadata: "of the lesson" },
    ]);
    expect(await agentsIn("lesson-1")).toHaveLength(1);
    // LiveKit's own answer for the same name: the room as it is.
    expect(await call("POST", "/v1/rooms", { ...asked, empty_timeout_s: 99 })).toMatchObject({
      ...{ sid: made.sid, empty_timeout_s: 61, orders: made.orders },
    });
  });
});

/** It takes what it is offered, its agent joins, and nothing that it is told makes that one leave. */
async function worker(agentName: string, type: "room" | "participant" = "room"): Promise<SimulatedWorker> {
  const TYPES = { room: 0, participant: 2 };
  const started = await startWorker({
    url: muster.url,
    token: await token(),
    register: { agentName, type: TYPES[type] },
    watch: {
      registered: () => {},
      lost: () => {},
      offered: () => {},
      started: ({ token }) =>
        void people.enter(token).catch((error: unknown) => process.stdout.write(`${error}\n`)),
      over: () => {},
    },
  });
  started.sample();
  onTestFinished(() => started.close());
  return started;
}

async function token(): Promise<string> {
  const signed = new AccessToken(API_KEY, API_SECRET, { identity: "test" });
  signed.addGrant({ agent: true, roomAdmin: true, roomCreate: true, roomList: true });
  return signed.toJwt();
}

async function call(method: string, path: string, body?: object): Promise<Json> {
  const answer = await fetch(`${muster.url}${path}`, {
    ...{ method, headers: { authorization: `Bearer ${await token()}`, "content-type": "application/json" } },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answered = (await answer.json()) as Json;
  expect({ status: Math.floor(answer.status / 100), answered }).toMatchObject({ status: 2 });
  return answered;
}

const makeOrder = async (body: object) => (await call("POST", "/v1/orders", body)) as Order;

/** As the last call on it answers: nothing of it changes. */
const readOrder = async ({ id }: Order) =>
  (await call("PATCH", `/v1/orders/${id}`, { priority: 500 })) as Order;

const ordersFor = async (room: string, agent: string) =>
  (await muster.client.listDispatch(room)).filter(({ agentName }) => agentName === agent);

const agentsIn = async (room: string) =>
  (await rooms.listParticipants(room)).filter(({ kind }) => kind === KIND_AGENT);

const agentIn = (room: string) =>
  waitUntil("an agent is in the room", async () => (await agentsIn(room))[0], { deadlineMs: DEADLINE_MS });

function leftWebhook(room: string, sid: string): Json | undefined {
  const told = tap.of(room).map(({ body }) => JSON.parse(body) as { event: string; participant?: Json });
  return told.find(({ event, participant }) => event === "participant_left" && participant?.sid === sid)
    ?.participant;
}
