import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { WebhookEvent } from "@muster/wire/generated/livekit";
import { decodeWebhookEvent } from "@muster/wire/webhook-event";
import { AgentDispatchClient, RoomServiceClient, WebhookReceiver } from "livekit-server-sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { doubled, eachMissing, shuffled } from "./livekit-stand-in/event-orders.js";
import { signWebhook } from "./livekit-stand-in/webhooks.js";
import { type LivekitStandIn, type LivekitStandInOptions, startLivekitStandIn } from "./livekit-stand-in.js";
import { freePort } from "./ports.js";

/** The stand-in is what other tests trust, so LiveKit's own SDK is asked whether it is like a livekit-server. */

const NOW_MS = 1_767_225_600_123;
const cleanups: (() => unknown)[] = [];
let livekit: LivekitStandIn;

beforeEach(async () => {
  livekit = await start({ nowMs: () => NOW_MS });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function start(options: LivekitStandInOptions): Promise<LivekitStandIn> {
  const standIn = await startLivekitStandIn(options);
  cleanups.push(() => standIn.stop());
  return standIn;
}

const KEY = ["devkey", "secret"] as const;
const told = () => livekit.events.map(({ event, participant }) => [event, participant?.identity ?? ""]);

describe("LiveKit's SDK finds", () => {
  const clients = () => ({
    rooms: new RoomServiceClient(livekit.url, ...KEY),
    dispatches: new AgentDispatchClient(livekit.url, ...KEY),
  });

  it("rooms", async () => {
    const { rooms } = clients();
    const made = await rooms.createRoom({ name: "r", emptyTimeout: 60, metadata: "m" });
    expect(made).toMatchObject({ name: "r", emptyTimeout: 60, metadata: "m", creationTime: 1_767_225_600n });
    expect((await rooms.createRoom({ name: "r", metadata: "other" })).sid).toBe(made.sid);
    expect((await rooms.listRooms()).map(({ sid, metadata }) => [sid, metadata])).toEqual([[made.sid, "m"]]);
    expect(await rooms.listRooms(["no such room"])).toEqual([]);
    expect(told()).toEqual([["room_started", ""]]);
  });

  it("participants", async () => {
    const { rooms } = clients();
    livekit.rooms.join("r", "ada", { kind: "sip", attributes: { tier: "gold" } });
    expect(await rooms.listParticipants("r")).toMatchObject([
      { identity: "ada", kind: 3, state: 2, attributes: { tier: "gold" } },
    ]);
    expect(await rooms.listParticipants("no such room")).toEqual([]);
    expect((await rooms.getParticipant("r", "ada")).joinedAtMs).toBe(BigInt(NOW_MS));
    await expect(rooms.getParticipant("r", "bob")).rejects.toMatchObject({
      status: 404,
      code: "not_found",
      message: "twirp error unknown: participant does not exist",
    });
    await rooms.removeParticipant("r", "ada");
    await expect(rooms.removeParticipant("r", "ada")).rejects.toMatchObject({ code: "not_found" });
    expect(told().at(-1)).toEqual(["participant_left", "ada"]);
  });

  it("dispatches", async () => {
    const { rooms, dispatches } = clients();
    await rooms.createRoom({ name: "r", agents: [{ agentName: "greeter", metadata: "m" } as never] });
    const [first] = await dispatches.listDispatch("r");
    expect(first).toMatchObject({ agentName: "greeter", metadata: "m", room: "r" });
    expect(first?.id).toMatch(/^AD_/);
    livekit.rooms.addDispatch("r", { agentName: "scribe" });
    expect((await dispatches.listDispatch("r")).length).toBe(2);
    expect((await dispatches.getDispatch(first?.id ?? "", "r"))?.agentName).toBe("greeter");
    await expect(dispatches.listDispatch("no such room")).rejects.toMatchObject({
      status: 503,
      code: "unavailable",
      message: "twirp error unknown: no response from servers",
    });
  });

  it("that its token must be right", async () => {
    const wrongSecret = new RoomServiceClient(livekit.url, "devkey", "wrong");
    await expect(wrongSecret.listRooms()).rejects.toMatchObject({ status: 401 });
    const wrongKey = new RoomServiceClient(livekit.url, "other", "secret");
    await expect(wrongKey.listRooms()).rejects.toMatchObject({ status: 401 });
    const anonymous = await fetch(`${livekit.url}/twirp/livekit.RoomService/ListRooms`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect([anonymous.status, await anonymous.json()]).toEqual([
      401,
      { code: "unauthenticated", msg: "permissions denied" },
    ]);
  });
});

describe("what happens in a room is told as livekit-server tells it", () => {
  it("from start to end", () => {
    const { rooms } = livekit;
    rooms.startRoom("r");
    rooms.join("r", "ada");
    const { sid } = rooms.publish("r", "ada");
    rooms.unpublish("r", "ada", sid);
    rooms.publish("r", "ada");
    rooms.leave("r", "ada");
    rooms.finishRoom("r");
    expect(told()).toEqual([
      ["room_started", ""],
      ["participant_joined", "ada"],
      ["track_published", "ada"],
      ["track_unpublished", "ada"],
      ["track_published", "ada"],
      ["track_unpublished", "ada"],
      ["participant_left", "ada"],
      ["room_finished", ""],
    ]);
    expect(new Set(livekit.events.map(({ id }) => id)).size).toBe(8);
    expect(livekit.events.every(({ createdAt }) => createdAt === 1_767_225_600n)).toBe(true);
  });

  it("whole for rooms and participants, thin for tracks", () => {
    livekit.rooms.join("r", "ada", { attributes: { tier: "gold" } });
    livekit.rooms.publish("r", "ada");
    livekit.rooms.leave("r", "ada", "CONNECTION_TIMEOUT");
    const [started, joined, published, , left] = livekit.events as Required<WebhookEvent>[];
    const { sid } = joined?.participant ?? { sid: "none" };
    expect(started?.room).toMatchObject({ creationTimeMs: BigInt(NOW_MS), emptyTimeout: 300 });
    expect(joined?.participant).toMatchObject({ state: 2, attributes: { tier: "gold" } });
    expect(joined?.room).toMatchObject({ numParticipants: 1 });
    const json = JSON.parse(signWebhook(published as WebhookEvent, keyOf(livekit), NOW_MS).body);
    expect(json.participant).toEqual({ sid, identity: "ada" });
    expect(json.room).toEqual({ sid: started?.room?.sid, name: "r" });
    expect(json.track).toMatchObject({ mimeType: "audio/opus" });
    expect(left?.participant).toMatchObject({ sid, state: 3, disconnectReason: 14 });
  });

  it("when the same identity joins again: the old sid leaves first", () => {
    const old = livekit.rooms.join("r", "ada");
    const young = livekit.rooms.join("r", "ada");
    expect(young.sid).not.toBe(old.sid);
    expect(livekit.events.slice(-2).map(({ event, participant }) => [event, participant?.sid])).toEqual([
      ["participant_left", old.sid],
      ["participant_joined", young.sid],
    ]);
    expect(livekit.events.at(-2)?.participant?.disconnectReason).toBe(2);
  });

  it("when somebody comes back: a new sid, the same attributes", () => {
    const old = livekit.rooms.join("r", "ada", { kind: "agent", attributes: { a: "1" } });
    const back = livekit.rooms.rejoin("r", "ada");
    expect(back.sid).not.toBe(old.sid);
    expect(back).toMatchObject({ kind: old.kind, attributes: { a: "1" } });
  });

  it("when somebody never became active", () => {
    livekit.rooms.beginJoin("r", "ada");
    expect(told()).toEqual([["room_started", ""]]);
    livekit.rooms.leave("r", "ada", "JOIN_FAILURE");
    expect(told().at(-1)).toEqual(["participant_connection_aborted", "ada"]);
  });

  it("when the room ends with people in it: they leave first", () => {
    livekit.rooms.join("r", "ada");
    livekit.rooms.join("r", "bob");
    livekit.rooms.finishRoom("r", "ROOM_DELETED");
    expect(told().slice(-3)).toEqual([
      ["participant_left", "ada"],
      ["participant_left", "bob"],
      ["room_finished", ""],
    ]);
    expect(livekit.rooms.rowsOf([])).toEqual([]);
    const next = livekit.rooms.startRoom("r");
    expect(next.sid).not.toBe(livekit.events[0]?.room?.sid);
  });

  it("when a node crashes: nothing; then the room comes back with its sid and new dispatches", () => {
    const { rooms } = livekit;
    const first = rooms.startRoom("r", { agents: [{ agentName: "greeter" }] });
    rooms.join("r", "ada");
    rooms.join("r", "bob");
    const [before] = rooms.dispatchesOf("r");
    const count = livekit.events.length;
    rooms.crashNode("r");
    expect(livekit.events.length).toBe(count);
    expect(rooms.rowsOf(["r"]).map(({ sid }) => sid)).toEqual([first.sid]);

    const ada = rooms.join("r", "ada");
    expect(livekit.events.slice(count).map(({ event, room }) => [event, room?.sid])).toEqual([
      ["room_started", first.sid],
      ["participant_joined", first.sid],
    ]);
    const [after] = rooms.dispatchesOf("r");
    expect(after?.agentName).toBe("greeter");
    expect(after?.id).not.toBe(before?.id);
    // Bob's row is stale: no node has him.
    const rows = rooms.participantRowsOf("r");
    expect(rows.map(({ identity }) => identity)).toEqual(["ada", "bob"]);
    expect(rows[0]?.sid).toBe(ada.sid);
    expect(rooms.hasLive("r", "bob")).toBe(false);
  });

  it("never changes what it told before", () => {
    livekit.rooms.join("r", "ada");
    const before = signWebhook(livekit.events.at(-1) as WebhookEvent, keyOf(livekit), NOW_MS).body;
    livekit.rooms.publish("r", "ada");
    expect(signWebhook(livekit.events[1] as WebhookEvent, keyOf(livekit), NOW_MS).body).toBe(before);
  });
});

describe("webhooks", () => {
  it("are what LiveKit's own receiver takes", async () => {
    const { requests, url } = await receiver();
    livekit.rooms.join("r", "ada", { kind: "agent" });
    livekit.rooms.publish("r", "ada");
    // By the machine's time, which the receiver has too.
    const now = await start({});
    expect(await now.deliver(livekit.events, url)).toEqual([200, 200, 200]);
    const sdk = new WebhookReceiver(...KEY);
    for (const [index, { body, headers }] of requests.entries()) {
      expect(headers["content-type"]).toBe("application/webhook+json");
      expect(headers.authorization).not.toMatch(/^Bearer/);
      const event = await sdk.receive(body.toString(), headers.authorization);
      expect(event).toMatchObject({ event: livekit.events[index]?.event, id: livekit.events[index]?.id });
      expect(decodeWebhookEvent(body)).toEqual(livekit.events[index]);
    }
    const claims = JSON.parse(
      Buffer.from(requests[0]?.headers.authorization?.split(".")[1] ?? "", "base64url").toString(),
    );
    const sha256 = createHash("sha256")
      .update(requests[0]?.body ?? "")
      .digest("base64");
    expect(claims).toEqual({ iss: "devkey", nbf: expect.any(Number), exp: claims.nbf + 300, sha256 });
  });

  it("are posted as things happen, in the order of each room", async () => {
    const { requests, url } = await receiver();
    const posting = await start({ webhookUrl: url });
    for (const identity of ["a", "b", "c"]) posting.rooms.join("r", identity);
    posting.rooms.finishRoom("r");
    await posting.webhooksSettled();
    expect(requests.map(({ body }) => decodeWebhookEvent(body).id)).toEqual(
      posting.events.map(({ id }) => id),
    );
    expect(posting.droppedWebhooks).toEqual([]);
  });

  it("are posted again while the receiver is away or fails", async () => {
    const { requests, url, answers } = await receiver();
    answers.push(500, 503);
    const posting = await start({ webhookUrl: url });
    posting.rooms.startRoom("r");
    await posting.webhooksSettled();
    expect(requests.length).toBe(3);
    expect(posting.droppedWebhooks).toEqual([]);
  });

  it("are dropped when they are refused or too old", async () => {
    const { requests, url, answers } = await receiver();
    const posting = await start({ webhookUrl: url, webhookMaxAgeMs: 30 });
    answers.push(401);
    posting.rooms.startRoom("refused");
    await posting.webhooksSettled();
    expect(requests.length).toBe(1);
    answers.push(...Array(20).fill(500));
    posting.rooms.startRoom("too-old");
    await posting.webhooksSettled();
    expect(posting.droppedWebhooks.map(({ room }) => room?.name)).toEqual(["refused", "too-old"]);
  });

  it("are delivered in any order that a test wants", async () => {
    const { requests, url } = await receiver();
    for (const identity of ["a", "b", "c", "d"]) livekit.rooms.join("r", identity);
    const order = shuffled(livekit.events, seeded(7));
    await livekit.deliver(order, url);
    expect(requests.map(({ body }) => decodeWebhookEvent(body).id)).toEqual(order.map(({ id }) => id));
    expect(order).not.toEqual(livekit.events);
    expect(new Set(order)).toEqual(new Set(livekit.events));
    expect(shuffled(livekit.events, seeded(7))).toEqual(order);
  });

  it("can be doubled, and each be lost", () => {
    expect(doubled([1, 2])).toEqual([1, 1, 2, 2]);
    expect(doubled([1, 2], "at the end")).toEqual([1, 2, 1, 2]);
    expect(eachMissing([1, 2, 3])).toEqual([
      [2, 3],
      [1, 3],
      [1, 2],
    ]);
  });
});

describe("what it does not serve itself", () => {
  it("it echoes, so that a proxy can be seen through", async () => {
    const answer = await fetch(`${livekit.url}/twirp/livekit.SIP/CreateSIPTrunk?x=1`, {
      method: "POST",
      headers: { "content-type": "application/protobuf", "x-own": "kept" },
      body: Buffer.from([0, 255, 7]),
    });
    expect(answer.headers.get("x-livekit-stand-in")).toBe("echo");
    const { method, url, headers, body } = (await answer.json()) as Record<string, never>;
    expect([method, url, Buffer.from(body ?? "", "base64")]).toEqual([
      "POST",
      "/twirp/livekit.SIP/CreateSIPTrunk?x=1",
      Buffer.from([0, 255, 7]),
    ]);
    expect(headers).toMatchObject({ "content-type": "application/protobuf", "x-own": "kept" });
  });

  it("it streams back while it comes in", async () => {
    let say: (chunk: string | undefined) => void = () => undefined;
    const body = new ReadableStream({
      start(controller) {
        say = (chunk) => (chunk === undefined ? controller.close() : controller.enqueue(Buffer.from(chunk)));
      },
    });
    say("one");
    const answer = await fetch(`${livekit.url}/twirp/echo.Raw/Anything`, {
      method: "POST",
      body,
      duplex: "half",
    } as RequestInit);
    const reader = answer.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("one");
    say("two");
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("two");
    say(undefined);
    expect((await reader?.read())?.done).toBe(true);
  });

  it("it answers like a livekit-server", async () => {
    expect(await (await fetch(livekit.url)).text()).toBe("OK");
    expect((await fetch(`${livekit.url}/rtc`)).status).toBe(404);
    const encoded = await fetch(`${livekit.url}/twirp/livekit.RoomService/ListRooms`, { method: "POST" });
    expect(await encoded.json()).toMatchObject({ code: "bad_route" });
  });

  it("it can be away for a while", async () => {
    livekit.rooms.startRoom("r");
    await livekit.goDown();
    await expect(fetch(livekit.url)).rejects.toThrow("fetch failed");
    await livekit.comeBack();
    expect((await new RoomServiceClient(livekit.url, ...KEY).listRooms()).length).toBe(1);
  });
});

interface Received {
  body: Buffer;
  headers: Record<string, string | undefined>;
}

/** Answers what `answers` holds, then 200. */
async function receiver(): Promise<{ url: string; requests: Received[]; answers: number[] }> {
  const requests: Received[] = [];
  const answers: number[] = [];
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    requests.push({ body: Buffer.concat(chunks), headers: request.headers as Received["headers"] });
    response.writeHead(answers.shift() ?? 200).end();
  });
  const port = await freePort();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return { url: `http://127.0.0.1:${port}/webhook`, requests, answers };
}

function keyOf({ apiKey, apiSecret }: LivekitStandIn) {
  return { apiKey, apiSecret };
}

/** A small generator of numbers from 0 up to 1 (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
