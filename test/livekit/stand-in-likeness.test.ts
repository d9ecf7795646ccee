/**
 * The stand-in (kit/livekit-stand-in) is what most tests take for livekit-server: here both are asked the same, by LiveKit's
 * own SDK, and must answer the same, but for ids, times and what a node finds out later. Of errors the status and the code
 * count: their words change from one livekit-server to the next, and nothing of ours may hang on them. Runs where a
 * livekit-server is at hand.
 */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { AccessToken, AgentDispatchClient, RoomAgentDispatch, RoomServiceClient } from "livekit-server-sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LivekitStandIn, startLivekitStandIn } from "../kit/livekit-stand-in.js";
import { waitUntil } from "../kit/wait-until.js";
import { API_KEY, API_SECRET } from "../sdk/live-muster.js";
import { describeLive, liveRooms } from "./live-rooms.js";

const EMPTY_S = 60;

interface Asked {
  rooms: RoomServiceClient;
  dispatches: AgentDispatchClient;
  url: string;
}
type Question = (asked: Asked) => Promise<unknown>;

/** One after the other: each finds what those before it left. */
const QUESTIONS: readonly [string, Question][] = [
  ["a room that is made", ({ rooms }) => rooms.createRoom(whole("r", { metadata: "m", maxParticipants: 5 }))],
  ["it, in the list", ({ rooms }) => rooms.listRooms(["r"])],
  [
    "made again, in another way",
    ({ rooms }) => rooms.createRoom(whole("r", { metadata: "n", emptyTimeout: 9 })),
  ],
  ["it, as it is by then", ({ rooms }) => rooms.listRooms(["r", "none"])],
  ["its automatic dispatch", ({ dispatches }) => dispatches.listDispatch("r")],
  ["a dispatch that is not there", ({ dispatches }) => dispatches.getDispatch("AD_none", "r")],
  [
    "a room with agents",
    ({ rooms }) => rooms.createRoom(whole("agents", { agents: [new RoomAgentDispatch({ agentName: "a" })] })),
  ],
  ["its dispatches", ({ dispatches }) => dispatches.listDispatch("agents")],
  ["rooms that are not there", ({ rooms }) => rooms.listRooms(["none"])],
  ["who is in a room that nobody entered", ({ rooms }) => rooms.listParticipants("r")],
  ["who is in a room that is not there", ({ rooms }) => rooms.listParticipants("none")],
  ["somebody who is not in the room", ({ rooms }) => rooms.getParticipant("r", "x")],
  ["somebody in a room that is not there", ({ rooms }) => rooms.getParticipant("none", "x")],
  ["putting out somebody who is not in the room", ({ rooms }) => rooms.removeParticipant("r", "x")],
  ["putting out somebody from a room that is not there", ({ rooms }) => rooms.removeParticipant("none", "x")],
  ["the longest name", ({ rooms }) => rooms.createRoom(whole("n".repeat(256)))],
  ["a name that is too long", ({ rooms }) => rooms.createRoom(whole("n".repeat(257)))],
  ["a name of fewer letters, and as many bytes", ({ rooms }) => rooms.createRoom(whole("ü".repeat(200)))],
  ["metadata of 200 kB", ({ rooms }) => rooms.createRoom(whole("large", { metadata: "m".repeat(200_000) }))],
  ["dispatches of a room that is not there", ({ dispatches }) => dispatches.listDispatch("none")],
  ["deleting a room", ({ rooms }) => rooms.deleteRoom("agents")],
  ["deleting a room that is not there", ({ rooms }) => rooms.deleteRoom("none")],
  ["whether a token may join", async ({ url }) => saidAt(`${url}/rtc/validate`, await joinToken())],
  ["whether nobody may join", ({ url }) => saidAt(`${url}/rtc/validate`)],
  ["/rtc without the wish for a WebSocket", async ({ url }) => saidAt(`${url}/rtc`, await joinToken())],
  ["/rtc with it, by nobody", ({ url }) => upgradeAt(`${url}/rtc`)],
  ["another's secret", ({ url }) => new RoomServiceClient(url, API_KEY, `not-${API_SECRET}`).listRooms()],
  ["another's key", ({ url }) => new RoomServiceClient(url, "other", API_SECRET).listRooms()],
];

const whole = (name: string, rest: object = {}) => ({
  ...{ name, emptyTimeout: EMPTY_S, departureTimeout: EMPTY_S },
  ...rest,
});

async function joinToken(): Promise<string> {
  const token = new AccessToken(API_KEY, API_SECRET, { identity: "somebody" });
  token.addGrant({ roomJoin: true, room: "nowhere" });
  return await token.toJwt();
}

async function saidAt(url: string, token?: string) {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(url, { headers });
  const said = await answer.text();
  return { status: answer.status, ...(answer.ok && { said }) };
}

/** fetch keeps these headers to itself. */
async function upgradeAt(url: string) {
  const headers = {
    ...{ connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
    "sec-websocket-key": Buffer.alloc(16).toString("base64"),
  };
  const [answer] = (await once(request(url, { headers }).end(), "response")) as [IncomingMessage];
  answer.resume();
  return { status: answer.statusCode };
}

const live = liveRooms();
let standIn: LivekitStandIn;

describeLive("the stand-in, beside a real livekit-server", () => {
  beforeAll(async () => {
    const keys = { apiKey: API_KEY, apiSecret: API_SECRET };
    standIn = await startLivekitStandIn({ ...keys, timeouts: { emptyS: 60, departureS: 60 } });
  });
  afterAll(() => standIn?.stop());

  it.each(QUESTIONS)("answers the same: %s", async (_, question) => {
    expect(await answerOf(standIn.url, question)).toEqual(await answerOf(live.server.url, question));
  });

  it("ends a room that nobody entered, after its time and not before", async () => {
    const lastedMs = async (url: string) => {
      const asked = new RoomServiceClient(url, API_KEY, API_SECRET);
      const startedAtMs = performance.now();
      await asked.createRoom({ name: "brief", emptyTimeout: 2, departureTimeout: 60 });
      const isOver = async () => (await asked.listRooms(["brief"])).length === 0;
      await waitUntil("it is over", isOver, { deadlineMs: 10_000 });
      return performance.now() - startedAtMs;
    };
    const [real, played] = await Promise.all([lastedMs(live.server.url), lastedMs(standIn.url)]);
    for (const ms of [real, played]) expect(ms).toBeGreaterThan(1_000);
  });

  it("tells the same of rooms that were made", async () => {
    const name = "r";
    await waitUntil("livekit-server told", () => live.tap.of(name).length > 0);
    const told = standIn.events.filter(({ room }) => room?.name === name).map(({ event }) => event);
    expect(told).toEqual(live.tap.told(name).map(({ event }) => event));
  });
});

async function answerOf(url: string, question: Question): Promise<unknown> {
  const rooms = new RoomServiceClient(url, API_KEY, API_SECRET);
  const dispatches = new AgentDispatchClient(url, API_KEY, API_SECRET);
  const answer = await question({ rooms, dispatches, url }).catch((error: unknown) => {
    const { status, code } = error as { status?: number; code?: string };
    return { refused: { status, code } };
  });
  return JSON.parse(JSON.stringify(answer ?? null, sameForBoth));
}

/** Ids, times and secrets are each server's own, and codecs those of its media. */
function sameForBoth(key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value === 0n ? 0 : "some";
  if (/^(sid|id|turnPassword|createdAt|creationTime.*)$/.test(key)) return value === "" ? "" : "some";
  return key === "enabledCodecs" ? "some" : value;
}
