/** livekit-server's own dispatches: taken over once in each life of their room, under their ids. */

import { namespaceName } from "@muster/domain/namespace";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { Job, JobState, JobStatus } from "@muster/wire/generated/livekit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as kit from "./kit.js";

const NEVER_MS = 600_000;

let server: RedisServer;
let livekit: LivekitStandIn;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  livekit = await startLivekitStandIn();
});
afterEach(async () => {
  await api.stop();
  await livekit.stop();
});
afterAll(() => server.stop());

const start = async (options: Parameters<typeof kit.runApi>[1] = {}) => {
  api = await kit.runApi(server, { livekitUrl: livekit.url, ...options });
};
const told = () => livekit.deliver(livekit.events, `${api.url}/webhook`);
const orders = async (room: string) => {
  const reply = await api.ledger.listRoomOrders({ namespace: "default", room, only: "", limit: 100 });
  return Object.values(reply.orders).map(({ order, jobs }) => ({
    ...{ id: order.id, agent: order.agent, metadata: order.metadata, state: order.state },
    jobs: Object.values(jobs).length,
  }));
};

describe("a dispatch that livekit-server made", () => {
  test("is taken over under its id when its room begins", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room", {
      agents: [{ agentName: "greeter", metadata: "hello" }, { agentName: "scribe" }],
    });
    const ids = livekit.rooms.dispatchesOf("room").map(({ id }) => id);
    expect(await told()).toEqual([200]);
    const live = { state: "live", jobs: 1 };
    expect(await orders("room")).toEqual(
      expect.arrayContaining([
        { id: ids[0], agent: "greeter", metadata: "hello", ...live },
        { id: ids[1], agent: "scribe", metadata: "", ...live },
      ]),
    );
    expect(await orders("room")).toHaveLength(2);
  });

  test("is taken over once, however often its room is spoken of, and when its node crashed", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }, { agentName: "greeter" }] });
    livekit.rooms.join("room", "ann");
    await told();
    const before = await orders("room");
    expect(before).toHaveLength(2);
    // The same life on another node, with new ids; seen by an api that knows of nothing.
    livekit.rooms.crashNode("room");
    livekit.rooms.startRoom("room");
    await api.stop();
    await start({ roomsEveryMs: NEVER_MS });
    await told();
    expect(await orders("room")).toEqual(before);
  });

  test("is taken over again in the room's next life", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    await told();
    livekit.rooms.finishRoom("room");
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    await told();
    const made = await orders("room");
    expect(new Set(made.map(({ id }) => id)).size).toBe(2);
    // Though nobody served the first: kept for the next life, it would double the agent there.
    expect(made.map(({ state }) => state)).toEqual(["ended", "live"]);
  });

  test("does not reach into the next life when its own was over before it was made", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    const told = livekit.events.splice(0);
    await livekit.deliver(told, `${api.url}/webhook`);
    livekit.rooms.finishRoom("room");
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    // Nobody hears that the first one ended.
    const [, second] = livekit.events.splice(0);
    if (second === undefined) throw new Error("the second life was not told of");
    await livekit.deliver([second], `${api.url}/webhook`);
    expect((await orders("room")).map(({ state }) => state)).toEqual(["ended", "live"]);
  });

  test("is left alone when livekit-server gave it to a worker of its own, or it was deleted", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room", { agents: [{ agentName: "mine" }] });
    const state = { createdAt: 1n, deletedAt: 0n, jobs: [] };
    const served = [{ id: "AJ_x", state: JobState.create({ status: 1 }) }];
    livekit.rooms.addDispatch("room", { agentName: "served", state: { ...state, jobs: served } as never });
    livekit.rooms.addDispatch("room", { agentName: "deleted", state: { ...state, deletedAt: 2n } as never });
    await told();
    await waitUntil("the other is taken over", async () => (await orders("room")).length > 0);
    expect((await orders("room")).map(({ agent }) => agent)).toEqual(["mine"]);
  });

  test.each([
    ["waits", JobStatus.JS_PENDING],
    ["was cancelled", JobStatus.JS_CANCELLED],
  ])("is taken over at once when all that livekit-server has of it is a job that %s", async (_, status) => {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    claim("greeter", "", status);
    await told();
    expect((await orders("room")).map(({ agent }) => agent)).toEqual(["greeter"]);
  });

  test("stays deleted when it is deleted here", async () => {
    await start({ roomsEveryMs: 200 });
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    const dispatchId = livekit.rooms.dispatchesOf("room")[0]?.id ?? "";
    await told();
    await api.twirp("DeleteDispatch", { room: "room", dispatchId } as { room: string });
    const asked = () => livekit.calls.filter(({ method }) => method === "ListDispatch").length;
    const before = asked();
    await waitUntil("it was looked at again", () => asked() >= before + 2);
    expect(await orders("room")).toEqual([
      { id: dispatchId, agent: "greeter", metadata: "", state: "deleted", jobs: 1 },
    ]);
  });

  test("is found by the rounds when no webhook told of its room", async () => {
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    await start({ roomsEveryMs: 200 });
    await waitUntil("it is taken over", async () => (await orders("room")).length === 1);
    // One that was made while the room lived.
    livekit.rooms.addDispatch("room", { agentName: "scribe" });
    await waitUntil("so is the other", async () => (await orders("room")).length === 2);
    expect(await (await fetch(`${api.url}/metrics`)).text()).toMatch(
      /^muster_orders_accepted_total\{.*api="livekit".*\} 2$/m,
    );
  });

  test("that is out of bounds is left to it, and holds up no other", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room", {
      agents: [{ agentName: "x".repeat(10_000) }, { agentName: "greeter" }],
    });
    expect(await told()).toEqual([200]);
    expect((await orders("room")).map(({ agent }) => agent)).toEqual(["greeter"]);
  });

  test("waits for LiveKit to answer", async () => {
    await start({ roomsEveryMs: 300 });
    livekit.fail("ListDispatch", { kind: "twirp", status: 503, code: "unavailable", msg: "no response" }, 3);
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    expect(await told()).toEqual([200]);
    await waitUntil("it is taken over", async () => (await orders("room")).length === 1);
  });
});

/** A worker without a name registers. */
const remember = (facts: Partial<kit.WorkerFacts> = {}) =>
  kit.registerWorker(api.ledger, { namespace: namespaceName("default", ""), agent: "", ...facts });
/** One came an hour ago, and left so long ago. */
async function leave(agoMs: number) {
  const session = await remember({ atMs: Date.now() - 3_600_000 });
  const times = { graceMs: 1_000, guardMs: 1_000, nowMs: Date.now() - agoMs };
  await api.ledger.deregisterSession({ namespace: "default", session, goodbye: true, ...times });
}
const unnamed = [expect.objectContaining({ agent: "", state: "live", jobs: 1 })];

/** A worker at livekit-server itself has it. */
function claim(
  agentName: string,
  participantIdentity: string,
  status: number = JobStatus.JS_RUNNING,
  room = "room",
) {
  const dispatch = livekit.rooms.dispatchesOf(room).find((one) => one.agentName === agentName);
  const state = JobState.create({ status, participantIdentity });
  dispatch?.state?.jobs.push(Job.create({ id: "AJ_theirs", dispatchId: dispatch.id, state }));
}

const THEIRS = "agent-AJ_theirs";
const joins = (identity = THEIRS, marks: Record<string, string> = {}, room = "room") =>
  livekit.rooms.join(room, identity, {
    kind: "agent",
    attributes: { "lk.agent_name": "greeter", ...marks },
  });

describe("where livekit-server has workers of its own", () => {
  /** One was seen in another room, by an api that is not there any more. */
  async function withOwnWorkers(agentName = "another") {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("before", { agents: [{ agentName }] });
    claim(agentName, THEIRS, JobStatus.JS_RUNNING, "before");
    await told();
    livekit.events.splice(0);
    await api.stop();
    await start({ roomsEveryMs: NEVER_MS });
  }

  test("a dispatch is taken over after the time in which they claim it", async () => {
    await withOwnWorkers();
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    await told();
    expect(await orders("room")).toEqual([]);
    await waitUntil("it is taken over", async () => (await orders("room")).length === 1);
  });

  test("one of an agent of theirs waits until its job must be listed; if it was not claimed, the next does not", async () => {
    await withOwnWorkers("greeter");
    livekit.rooms.startRoom("room", { agents: [{ agentName: "scribe" }, { agentName: "greeter" }] });
    await told();
    await waitUntil("the other is taken over", async () => (await orders("room")).length > 0);
    expect((await orders("room")).map(({ agent }) => agent)).toEqual(["scribe"]);
    await waitUntil("it is taken over", async () => (await orders("room")).length > 1, { deadlineMs: 9_000 });
    livekit.rooms.startRoom("next", { agents: [{ agentName: "greeter" }] });
    await told();
    expect(await orders("next")).toHaveLength(1);
  });

  test("one that they claimed in that time is left to them", async () => {
    await withOwnWorkers();
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }, { agentName: "scribe" }] });
    await told();
    claim("greeter", THEIRS);
    await waitUntil("the other is taken over", async () => (await orders("room")).length > 0);
    expect((await orders("room")).map(({ agent }) => agent)).toEqual(["scribe"]);
  });

  test("so is one whose agent is in the room before its job is listed", async () => {
    await withOwnWorkers();
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }, { agentName: "scribe" }] });
    await told();
    joins();
    await waitUntil("the other is taken over", async () => (await orders("room")).length > 0);
    expect((await orders("room")).map(({ agent }) => agent)).toEqual(["scribe"]);
  });
});

describe("two agents of one dispatch in a room", () => {
  /** Adopted, and given to a worker here. */
  async function adopted(isLiveIn = true) {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room", { agents: [{ agentName: "greeter" }] });
    await told();
    livekit.events.splice(0);
    const { ledger } = api;
    const reply = await ledger.listRoomOrders({ namespace: "default", room: "room", only: "", limit: 9 });
    const [job] = Object.values(Object.values(reply.orders)[0]?.jobs ?? {});
    const id = job?.id ?? "";
    const ours = `agent-${id}`;
    await kit.registerWorker(ledger, { namespace: "default", agent: "greeter" });
    await kit.runJob(ledger, "default", id);
    const joinOurs = () => joins(ours, { "muster.job": id, "muster.epoch": "1" });
    if (isLiveIn) joinOurs();
    const record = async () => {
      const found = await ledger.readRecord({ namespace: "default", kind: "job", id });
      return found.status === "found" ? found.record : {};
    };
    return { ours, record, joinOurs, isThere: () => livekit.rooms.hasLive("room", ours) };
  }
  const cause = async ({ record }: { record: () => Promise<Record<string, string>> }) =>
    (await record()).cause;

  test.each(["first", "second"])("end with theirs alone when ours came %s", async (when) => {
    const our = await adopted(when === "first");
    claim("greeter", THEIRS);
    joins();
    if (when === "second") our.joinOurs();
    await told();
    await waitUntil("ours has ended", async () => (await cause(our)) === "served_elsewhere");
    await waitUntil("it is put out", () => !our.isThere());
    expect(livekit.rooms.hasLive("room", THEIRS)).toBe(true);
    expect(await our.record()).toMatchObject({ state: "ended", outcome: "canceled" });
    expect(await (await fetch(`${api.url}/metrics`)).text()).toMatch(
      /^muster_dispatches_doubled_total.* 1$/m,
    );
    // From now on every dispatch waits for its claim.
    livekit.rooms.startRoom("next", { agents: [{ agentName: "greeter" }] });
    await told();
    expect(await orders("next")).toEqual([]);
  });

  test("are known by their name while the job of theirs is not listed", async () => {
    const our = await adopted();
    joins();
    await told();
    await waitUntil("ours has ended", async () => (await cause(our)) === "served_elsewhere");
  });

  test("are not two when the other is of another dispatch, or of another Muster", async () => {
    const our = await adopted();
    livekit.rooms.addDispatch("room", { agentName: "greeter" });
    joins();
    joins("agent-elsewhere", { "muster.job": "AJ_elsewhere", "muster.epoch": "1" });
    const listed = () => livekit.calls.filter(({ method }) => method === "ListDispatch").length;
    const before = listed();
    await told();
    await waitUntil("it was looked at", () => listed() > before);
    await api.stop();
    expect(await cause(our)).toBeUndefined();
    expect(our.isThere()).toBe(true);
    await start({ roomsEveryMs: NEVER_MS });
  });

  test("cost no question to LiveKit where all agents are ours", async () => {
    const our = await adopted();
    const before = livekit.calls.length;
    await told();
    await api.stop();
    expect(livekit.calls.length).toBe(before);
    expect(our.isThere()).toBe(true);
    await start({ roomsEveryMs: NEVER_MS });
  });
});

describe("LiveKit's automatic dispatch, which names no agent,", () => {
  test("is left where nobody ever ran such an agent: nothing of it is in the ledger", async () => {
    await start({ roomsEveryMs: 100 });
    livekit.rooms.startRoom("room");
    livekit.rooms.join("room", "ann");
    await told();
    const asked = () => livekit.calls.filter(({ method }) => method === "ListDispatch").length;
    const before = asked();
    await waitUntil("it was looked at again", () => asked() >= before + 2);
    expect(await orders("room")).toEqual([]);
    expect(await api.redis.keys("muster:{default}:*")).toEqual([]);
  });

  test.each([
    ["was connected an hour ago, and for long", { atMs: Date.now() - 3_600_000 }, undefined, 1],
    ["left some minutes ago: it is started anew", undefined, 5 * 60_000, 1],
    ["left longer ago than that: nobody runs it any more", undefined, 11 * 60_000, 0],
    ["serves publishers", { type: "publisher" }, undefined, 1],
    ["has another deployment than the dispatch", { deployment: "blue" }, undefined, 0],
  ] as const)("where a worker without a name %s", async (_, facts, leftAgoMs, expected) => {
    await start({ roomsEveryMs: NEVER_MS });
    if (facts !== undefined) await remember(facts);
    if (leftAgoMs !== undefined) await leave(leftAgoMs);
    livekit.rooms.startRoom("room");
    livekit.rooms.join("room", "ann");
    await told();
    expect(await orders("room")).toHaveLength(expected);
  });

  test("waits for nobody where its workers left for good, and goes to who comes back", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    await leave(11 * 60_000);
    livekit.rooms.startRoom("room");
    livekit.rooms.join("room", "ann");
    await told();
    expect(await orders("room")).toEqual([]);
    await remember();
    const before = livekit.events.length;
    livekit.rooms.join("room", "ben");
    expect(await livekit.deliver(livekit.events.slice(before), `${api.url}/webhook`)).toEqual([200]);
    expect(await orders("room")).toEqual(unnamed);
  });

  test("is taken where one is known, also in a room that nobody entered yet", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    await remember();
    livekit.rooms.startRoom("room");
    await told();
    expect(await orders("room")).toEqual(unnamed);
  });

  test("a worker without a name that comes later is given the rooms that have callers, and no empty ones", async () => {
    await start({ roomsEveryMs: 100 });
    for (const room of ["empty", "living", "left", "bots"]) livekit.rooms.startRoom(room);
    for (const room of ["living", "left"]) livekit.rooms.join(room, "ann");
    livekit.rooms.leave("left", "ann");
    livekit.rooms.join("bots", "bot", { kind: "agent" });
    await told();
    // Those who know of it only from the ledger give it no more either.
    await api.stop();
    await start({ roomsEveryMs: 100 });
    await remember();
    await waitUntil("the living one has its order", async () => (await orders("living")).length === 1);
    const asked = () => livekit.calls.filter(({ method }) => method === "ListDispatch").length;
    const before = asked();
    await waitUntil("all were looked at again", () => asked() >= before + 8);
    for (const room of ["empty", "left", "bots"]) expect(await orders(room)).toEqual([]);
    expect(await orders("living")).toEqual(unnamed);
  });

  test("and one of those, once somebody comes, at once", async () => {
    await start({ roomsEveryMs: NEVER_MS });
    livekit.rooms.startRoom("room");
    await told();
    await remember();
    const before = livekit.events.length;
    livekit.rooms.join("room", "ann");
    expect(await livekit.deliver(livekit.events.slice(before), `${api.url}/webhook`)).toEqual([200]);
    expect(await orders("room")).toEqual(unnamed);
  });

  test.each([
    ["always", 1],
    ["never", 0],
  ] as const)("with the setting at %s: %d orders", async (adoptUnnamed, expected) => {
    await start({ roomsEveryMs: NEVER_MS, adoptUnnamed });
    if (adoptUnnamed === "never") await remember();
    livekit.rooms.startRoom("room");
    await told();
    expect(await orders("room")).toHaveLength(expected);
  });

  test("of a room that Muster makes is no other", async () => {
    await start({ roomsEveryMs: NEVER_MS, createRooms: true });
    await api.twirp("CreateDispatch", { room: "room", agent_name: "agent" } as { room: string });
    await waitUntil("the room is there", () => livekit.rooms.hasLive("room"));
    await waitUntil("the order is bound", async () => {
      const { orders: listed } = await api.ledger.listRoomOrders({
        ...{ namespace: "default", room: "room", only: "", limit: 10 },
      });
      return Object.values(listed).some(({ order }) => (order.room_sid ?? "") !== "");
    });
    expect(await orders("room")).toMatchObject([{ agent: "agent" }]);
  });
});

describe("without a LiveKit to ask", () => {
  test("unnamed agents go to every new room, once", async () => {
    api = await kit.runApi(server);
    await remember();
    livekit.rooms.startRoom("room");
    livekit.rooms.join("room", "ann");
    await told();
    await told();
    expect(await orders("room")).toMatchObject([{ agent: "", state: "live", jobs: 1 }]);
  });

  test("nobody goes where no unnamed worker was ever seen", async () => {
    api = await kit.runApi(server);
    livekit.rooms.startRoom("room");
    await told();
    expect(await orders("room")).toEqual([]);
  });
});
