/** Room configurations: applied by rule, by the room's metadata, and to a room that is made through Muster. */

import { createLog } from "@muster/runtime/log";
import { loseAnswers } from "@muster/test/cluster/losing-answers";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as kit from "./kit.js";

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

type Json = Record<string, unknown>;
const maker = { roomAdmin: true, roomCreate: true };

const ask = async (method: string, path: string, body: object, video: object = maker, url = api.url) => {
  const answer = await fetch(url + path, {
    ...{ method, body: JSON.stringify(body) },
    headers: { "content-type": "application/json", authorization: `Bearer ${kit.token(video)}` },
  });
  return { ...((await answer.json()) as Json & { sid: string; orders: string[] }), status: answer.status };
};
const put = async (path: string, body: object) =>
  expect((await ask("PUT", `/v1/${path}`, body)).status).toBeLessThan(300);
const make = (body: object, video?: object) => ask("POST", "/v1/rooms", body, video);
const told = () => livekit.deliver(livekit.events, `${api.url}/webhook`);
const ordersOf = async (room: string) => {
  const reply = await api.ledger.listRoomOrders({ namespace: "default", room, only: "", limit: 100 });
  return Object.values(reply.orders).map(({ order }) => ({
    id: order.id,
    agent: order.agent,
    metadata: order.metadata,
  }));
};
const agentsOf = async (room: string) => (await ordersOf(room)).map(({ agent }) => agent).sort();

const support = { agents: [{ agent_name: "greeter", metadata: "hello" }, { agent_name: "scribe" }] };
const BOTH = ["greeter", "scribe"];
const byName = (configuration: string) => ({ when: { room_pattern: "support-*" }, configuration });

describe("when a room starts", () => {
  const lines: string[] = [];
  const warnings = () =>
    lines.map((line) => JSON.parse(line) as Json).filter(({ level }) => level === "warn");
  beforeEach(async () => {
    lines.length = 0;
    const log = createLog({
      level: "warn",
      service: "api",
      destination: { write: (line) => void lines.push(line) },
    });
    api = await kit.runApi(server, { log });
    await put("room-configurations/support", support);
  });

  test("a rule that applies has its agents ordered", async () => {
    await put("rules/r", { ...byName("support"), orders: [{ agent_name: "own" }] });
    livekit.rooms.startRoom("support-1");
    livekit.rooms.startRoom("sales-1");
    await told();
    expect(await agentsOf("support-1")).toEqual(["greeter", "own", "scribe"]);
    expect(await agentsOf("sales-1")).toEqual([]);
  });

  test("its metadata has them ordered, once also where rules name it too", async () => {
    await put("rules/one", byName("support"));
    await put("rules/two", byName("support"));
    livekit.rooms.startRoom("support-1", { metadata: '{"muster_configuration":"support"}' });
    livekit.rooms.startRoom("any", { metadata: '{"muster_configuration":"support"}' });
    livekit.rooms.startRoom("none", { metadata: '{"muster_configuration":["support"]}' });
    livekit.rooms.join("any", "ann");
    await told();
    await told();
    expect(await agentsOf("support-1")).toEqual(BOTH);
    expect(await agentsOf("any")).toEqual(BOTH);
    expect(await agentsOf("none")).toEqual([]);
    expect(warnings()).toEqual([]);
  });

  test("one that is not there is logged once and counted, and holds up nothing", async () => {
    await put("rules/a", { ...byName("gone"), orders: [{ agent_name: "own" }] });
    await put("rules/b", byName("support"));
    for (const [at, name] of [
      "gone",
      "gone",
      `a b${"c".repeat(1_000)}`,
      "__proto__",
      "constructor",
    ].entries())
      livekit.rooms.startRoom(`support-${at}`, { metadata: JSON.stringify({ muster_configuration: name }) });
    expect(await told()).toEqual([200, 200, 200, 200, 200]);
    for (const at of [0, 1, 2, 3, 4])
      expect(await agentsOf(`support-${at}`)).toEqual(["greeter", "own", "scribe"]);
    expect(warnings().map(({ configuration, namedBy }) => [configuration, namedBy])).toEqual([
      ["gone", "rule a"],
      ["gone", "metadata of a room"],
      ["(no id)", "metadata of a room"],
      ["__proto__", "metadata of a room"],
      ["constructor", "metadata of a room"],
    ]);
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    expect(metrics).toMatch(/room_configurations_missing_total\{[^}]*named_by="rule"[^}]*\} 5\n/);
    expect(metrics).toMatch(/room_configurations_missing_total\{[^}]*named_by="metadata"[^}]*\} 5\n/);
  });

  test("what is stored and cannot be read is nothing, and is logged", async () => {
    const bounds = { ifVersion: 0, maxCount: 10, maxBytes: 1_000_000 };
    const broken = { project: "default", id: "broken", text: '{"enabled":7}', ...bounds };
    await api.ledger.putDefinition({ ...broken, kind: "rules" });
    await api.ledger.putDefinition({ ...broken, kind: "configurations" });
    await put("rules/r", byName("support"));
    livekit.rooms.startRoom("support-1", { metadata: '{"muster_configuration":"broken"}' });
    await told();
    expect(await agentsOf("support-1")).toEqual(BOTH);
    expect(lines.map((line) => (JSON.parse(line) as Json).definition).filter(Boolean)).toEqual([
      "broken",
      "broken",
    ]);
  });

  test("is looked at anew after Redis forgot what was stored", async () => {
    await put("rules/r", byName("support"));
    livekit.rooms.startRoom("support-1");
    await told();
    await server.flush();
    await put("room-configurations/support", { agents: [{ agent_name: "other" }] });
    await put("rules/s", byName("support"));
    livekit.rooms.startRoom("support-2");
    await livekit.deliver(livekit.events.slice(-1), `${api.url}/webhook`);
    expect(await agentsOf("support-2")).toEqual(["other"]);
    await server.flush();
    livekit.rooms.startRoom("support-3");
    await livekit.deliver(livekit.events.slice(-1), `${api.url}/webhook`);
    expect(await agentsOf("support-3")).toEqual([]);
  });
});

describe("POST /v1/rooms", () => {
  beforeEach(async () => {
    api = await kit.runApi(server, { livekitUrl: livekit.url });
    await put("room-configurations/support", { ...support, metadata: "of support" });
  });

  test("makes the room, its orders, and follows the rules, before LiveKit tells of it", async () => {
    await put("rules/r", {
      when: { room_pattern: "*" },
      orders: [{ agent_name: "own" }],
      configuration: "support",
    });
    const bounds = { empty_timeout_s: 77, max_participants: 5 };
    const made = await make({ name: "room", configuration: "support", metadata: "given", ...bounds });
    const [live] = livekit.rooms.rowsOf(["room"]);
    expect(live).toMatchObject({ metadata: "given", emptyTimeout: 77, maxParticipants: 5 });
    expect(made).toEqual({
      ...{
        status: 200,
        name: "room",
        sid: live?.sid,
        configuration: "support",
        metadata: "given",
        ...bounds,
      },
      ...{ created_at_ms: Number(live?.creationTimeMs), orders: expect.any(Array) },
    });
    const orders = await ordersOf("room");
    expect(made.orders).toEqual(BOTH.map((agent) => orders.find((order) => order.agent === agent)?.id));
    // LiveKit's own unnamed dispatch is nobody's here.
    expect(await agentsOf("room")).toEqual(["greeter", "own", "scribe"]);
    await told();
    expect(await agentsOf("room")).toEqual(["greeter", "own", "scribe"]);
  });

  test("gives the room the configuration's metadata unless it has its own", async () => {
    expect(await make({ name: "a", configuration: "support" })).toMatchObject({ metadata: "of support" });
    expect(await make({ name: "b" })).toMatchObject({
      status: 200,
      metadata: "",
      configuration: null,
      orders: [],
    });
  });

  test("twice, ten times at once, and after a lost answer makes it once; in the next life, anew", async () => {
    const body = { name: "room", configuration: "support" };
    const first = await make(body);
    expect(await make(body)).toEqual(first);
    const answers = await Promise.all(Array.from({ length: 10 }, () => make({ ...body, name: "other" })));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const losing = await loseAnswers(api.url, { count: 1, elsewhere: [] });
    const lost = () => ask("POST", "/v1/rooms", { ...body, name: "lost" }, maker, losing.url);
    await expect(lost()).rejects.toThrow();
    expect(await lost()).toMatchObject({ ...(JSON.parse(losing.lost[0] ?? "{}") as Json) });
    await losing.stop();
    for (const room of ["room", "other", "lost"]) expect(await agentsOf(room)).toEqual(BOTH);
    livekit.rooms.finishRoom("room");
    const next = await make(body);
    expect(next.sid).not.toBe(first.sid);
    expect(next.orders).not.toEqual(first.orders);
  });

  test("made of a room that lives, adds the configuration to it", async () => {
    livekit.rooms.startRoom("room");
    await told();
    expect(await agentsOf("room")).toEqual([]);
    expect((await make({ name: "room", configuration: "support" })).orders).toHaveLength(2);
    expect(await agentsOf("room")).toEqual(BOTH);
  });

  test.each<[string, object, number, string]>([
    ["no name", {}, 400, "name"],
    ["an empty name", { name: "" }, 400, "name"],
    ["a name that is too long", { name: "n".repeat(513) }, 400, "name"],
    ["a configuration that is not there", { name: "room", configuration: "gone" }, 400, "configuration"],
    ["a configuration that is no id", { name: "room", configuration: "a b" }, 400, "configuration"],
    ["metadata that is too large", { name: "room", metadata: "m".repeat(512 * 1024 + 1) }, 400, "metadata"],
    ["no time", { name: "room", empty_timeout_s: 0 }, 400, "empty_timeout_s"],
    ["half a participant", { name: "room", max_participants: 0.5 }, 400, "max_participants"],
    ["an unknown field", { name: "room", agents: [] }, 400, "agents"],
  ])("with %s is refused, and makes nothing", async (_what, body, status, field) => {
    const before = await kit.dump(api.redis);
    expect(await make(body)).toMatchObject({ status, code: "invalid_argument", field });
    expect(await kit.dump(api.redis)).toEqual(before);
    expect(livekit.rooms.rowsOf([])).toEqual([]);
  });

  test.each<[string, object, number]>([
    ["who may make rooms and is admin of all", maker, 200],
    ["who may make rooms and is admin of this one", { ...maker, room: "room" }, 200],
    ["who is admin of another room", { ...maker, room: "other" }, 403],
    ["an admin who may not make rooms", { roomAdmin: true }, 403],
    ["who may make rooms alone", { roomCreate: true }, 403],
    ["a participant", { roomJoin: true, room: "room" }, 403],
  ])("is for %s", async (_who, video, status) => {
    expect((await make({ name: "room" }, video)).status).toBe(status);
    expect(livekit.rooms.rowsOf(["room"])).toHaveLength(status === 200 ? 1 : 0);
  });

  test.each<[number, string, number, string]>([
    [503, "unavailable", 503, "unavailable"],
    [400, "invalid_argument", 400, "invalid_argument"],
    [401, "unauthenticated", 412, "failed_precondition"],
    [404, "not_found", 412, "failed_precondition"],
  ])("says what LiveKit's %i %s means", async (status, code, expected, said) => {
    livekit.fail("CreateRoom", { kind: "twirp", status, code, msg: "no" }, 3);
    const before = await kit.dump(api.redis);
    expect(await make({ name: "room", configuration: "support" })).toMatchObject({
      status: expected,
      code: said,
    });
    expect(await kit.dump(api.redis)).toEqual(before);
  });
});

test("POST /v1/rooms without a LiveKit says what is missing", async () => {
  api = await kit.runApi(server);
  expect(await make({ name: "room" })).toMatchObject({
    ...{ status: 412, code: "failed_precondition", message: expect.stringContaining("MUSTER_LIVEKIT_URL") },
  });
});
