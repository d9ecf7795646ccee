/** Rules at the start of a room's life: each order once in it, whoever hears of the room, how often and how late. */

import { createMetrics } from "@muster/runtime/metrics";
import { countCommands } from "@muster/runtime/redis/command-count";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { Room } from "@muster/wire/generated/livekit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { apiMetrics } from "../src/metrics.js";
import { Definitions } from "../src/rules/definitions.js";
import { FollowRules } from "../src/rules/follow-rules.js";
import { acceptOrderOf, intakeParts } from "./accept-order-kit.js";
import * as kit from "./kit.js";

let server: RedisServer;
let livekit: LivekitStandIn;
let apis: kit.RunningApi[];

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  livekit = await startLivekitStandIn();
  apis = [];
});
afterEach(async () => {
  for (const api of apis) await api.stop();
  await livekit.stop();
});
afterAll(() => server.stop());

const start = async (options: Parameters<typeof kit.runApi>[1] = {}) => {
  const api = await kit.runApi(server, options);
  apis.push(api);
  return api;
};
const put = async (path: string, body: object) => {
  const answer = await apis[0]?.rest(`/v1/${path}`, {
    ...{ method: "PUT", video: { roomAdmin: true }, body: JSON.stringify(body) },
    headers: { "content-type": "application/json" },
  });
  expect(answer?.status).toBeLessThan(300);
};
const told = (api: kit.RunningApi | undefined, events = livekit.events) =>
  livekit.deliver(events, `${api?.url}/webhook`);
const ordersOf = async (room: string, namespace = "default") => {
  const reply = await apis[0]?.ledger.listRoomOrders({ namespace, room, only: "", limit: 1_000 });
  return Object.values(reply?.orders ?? {}).map(({ order, jobs }) => ({
    ...{ id: order.id, agent: order.agent, state: order.state, sid: order.room_sid },
    jobs: Object.values(jobs).length,
  }));
};
const agentsOf = async (room: string, namespace?: string) =>
  (await ordersOf(room, namespace)).map(({ agent }) => agent).sort();
const liveIn = async (room: string) =>
  (await ordersOf(room))
    .filter(({ state }) => state === "live")
    .map(({ agent, sid }) => [agent, sid])
    .sort();

const supportRule = {
  when: { room_pattern: "support-*" },
  orders: [
    { agent_name: "greeter", metadata: "hello", priority: 900 },
    { agent_name: "scribe", target: { for: "participants" } },
    { agent_name: "greeter" },
  ],
};
const WANTED = ["greeter", "greeter", "scribe"];

describe("a rule that applies", () => {
  test("has its orders made when the room starts, with all their terms, and no others", async () => {
    const api = await start();
    await put("rules/support", supportRule);
    await put("rules/other", { when: { room_pattern: "sales-*" }, orders: [{ agent_name: "seller" }] });
    await put("rules/off", { ...supportRule, enabled: false });
    const { sid } = livekit.rooms.startRoom("support-1");
    livekit.rooms.startRoom("another");
    expect(await told(api)).toEqual([200, 200]);
    expect(await agentsOf("support-1")).toEqual(WANTED);
    expect(await agentsOf("another")).toEqual([]);
    for (const { id } of await ordersOf("support-1")) {
      const order = (await (await api.rest(`/v1/orders/${id}`)).json()) as { agent_name: string };
      expect(order).toMatchObject({ state: "live", room: "support-1", room_sid: sid });
      if (order.agent_name === "scribe") expect(order).toMatchObject({ target: { for: "participants" } });
    }
    const greeters = (await ordersOf("support-1")).filter(({ agent }) => agent === "greeter");
    expect(greeters.map(({ jobs }) => jobs)).toEqual([1, 1]);
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    expect(metrics).toMatch(/orders_accepted_total\{[^}]*api="rule"[^}]*\} 3\n/);
  });

  test("has them in each namespace that knows the agent, or in the one it names", async () => {
    const api = await start();
    for (const namespace of ["default:eu", "default:us"])
      await kit.registerWorker(api.ledger, { namespace, agent: "greeter" });
    await put("rules/r", {
      when: { room_pattern: "*" },
      orders: [{ agent_name: "greeter" }, { agent_name: "scribe", namespace: "us" }],
    });
    livekit.rooms.startRoom("room");
    await told(api);
    expect(await agentsOf("room", "default:eu")).toEqual(["greeter"]);
    expect(await agentsOf("room", "default:us")).toEqual(["greeter", "scribe"]);
    expect(await agentsOf("room")).toEqual([]);
  });

  test("has a job for each participant who matches, as they come", async () => {
    const api = await start();
    await put("rules/support", supportRule);
    livekit.rooms.startRoom("support-1");
    await told(api);
    livekit.rooms.join("support-1", "ann");
    livekit.rooms.join("support-1", "ben");
    await told(api);
    const [scribe] = (await ordersOf("support-1")).filter(({ agent }) => agent === "scribe");
    expect(scribe).toMatchObject({ jobs: 2, state: "live" });
  });

  test("is followed once by two apis that hear of the room at once, doubled, and late", async () => {
    await start();
    await start();
    await put("rules/support", supportRule);
    livekit.rooms.startRoom("support-1");
    livekit.rooms.join("support-1", "ann");
    const all = Array.from({ length: 4 }, (_, at) =>
      told(apis[at % 2], at < 2 ? livekit.events : livekit.events.toReversed()),
    );
    await Promise.all(all);
    const made = await ordersOf("support-1");
    expect(made.map(({ agent }) => agent).sort()).toEqual(WANTED);
    for (const { agent, jobs } of made) expect({ agent, jobs }).toEqual({ agent, jobs: 1 });
    // One that knows of nothing hears of it again.
    const late = await start();
    await told(late);
    expect(await ordersOf("support-1")).toEqual(made);
  });

  test("is followed anew in the room's next life; what was made for the one before ended with that", async () => {
    const api = await start();
    await put("rules/support", supportRule);
    livekit.rooms.startRoom("support-1");
    await told(api);
    livekit.rooms.finishRoom("support-1");
    const { sid } = livekit.rooms.startRoom("support-1");
    await told(api);
    expect(await liveIn("support-1")).toEqual(WANTED.map((agent) => [agent, sid]).sort());
    expect(await ordersOf("support-1")).toHaveLength(6);
  });

  test("does not reach into a room that lives, nor does its change or its end", async () => {
    const api = await start();
    await put("rules/first", { when: { room_pattern: "*" }, orders: [{ agent_name: "first" }] });
    livekit.rooms.startRoom("room");
    await told(api);
    await put("rules/later", { when: { room_pattern: "*" }, orders: [{ agent_name: "later" }] });
    await put("rules/first", {
      when: { room_pattern: "*" },
      orders: [{ agent_name: "changed" }, { agent_name: "more" }],
    });
    livekit.rooms.join("room", "ann");
    await told(api);
    await told(await start());
    expect(await agentsOf("room")).toEqual(["first"]);
    await api.rest("/v1/rules/first", { method: "DELETE", video: { roomAdmin: true } });
    livekit.rooms.finishRoom("room");
    livekit.rooms.startRoom("room");
    await told(api);
    expect((await liveIn("room")).map(([agent]) => agent)).toEqual(["later"]);
  });

  test("does not bring back what was deleted", async () => {
    const api = await start();
    await put("rules/r", { when: { room_pattern: "*" }, orders: [{ agent_name: "agent" }] });
    livekit.rooms.startRoom("room");
    await told(api);
    const [{ id } = { id: "" }] = await ordersOf("room");
    await api.rest(`/v1/orders/${id}`, { method: "DELETE", video: { roomAdmin: true } });
    livekit.rooms.join("room", "ann");
    await told(await start());
    expect(await ordersOf("room")).toMatchObject([{ id, state: "deleted" }]);
  });

  test("looks at the room's metadata, also where the first word on the room does not have it", async () => {
    const api = await start();
    await put("rules/gold", { when: { metadata: { tier: "gold" } }, orders: [{ agent_name: "concierge" }] });
    livekit.rooms.startRoom("a", { metadata: '{"tier":"gold"}' });
    livekit.rooms.startRoom("b", { metadata: '{"tier":"tin"}' });
    livekit.rooms.startRoom("c", { metadata: "gold" });
    livekit.rooms.join("a", "ann");
    livekit.rooms.publish("a", "ann");
    const thin = livekit.events.filter(({ event }) => event === "track_published");
    await told(api, thin);
    expect(await agentsOf("a")).toEqual([]);
    await told(api);
    expect(await agentsOf("a")).toEqual(["concierge"]);
    for (const room of ["b", "c"]) expect(await agentsOf(room)).toEqual([]);
  });

  test("asks LiveKit where the first word on the room does not tell its metadata", async () => {
    const api = await start({ livekitUrl: livekit.url });
    await put("rules/gold", { when: { metadata: { tier: "gold" } }, orders: [{ agent_name: "concierge" }] });
    livekit.rooms.startRoom("a", { metadata: '{"tier":"gold"}', agents: [{ agentName: "own" }] });
    livekit.rooms.join("a", "ann");
    livekit.rooms.publish("a", "ann");
    await told(api, livekit.events.slice(-1));
    expect(await agentsOf("a")).toEqual(["concierge", "own"]);
  });

  test("is read by one command to Redis, however many rules there are", async () => {
    const api = await start();
    for (let at = 0; at < 40; at++)
      await put(`rules/r${at}`, {
        when: { room_pattern: `${at % 2}-*` },
        orders: [{ agent_name: `a${at}` }],
      });
    livekit.rooms.startRoom("warm");
    await told(api);
    const count = countCommands(api.redis);
    livekit.rooms.startRoom("none");
    await told(api, livekit.events.slice(-1));
    // The room book, the unnamed agent and that nobody is it (2), and the room's orders (2) beside: is it marked, the rules, the mark.
    expect(count.byName()).toEqual({ evalsha: 8, zadd: 1 });
  });
});

describe("lost words", () => {
  test("are made up for by the rounds, with a LiveKit to ask", async () => {
    await start({ livekitUrl: livekit.url, roomsEveryMs: 200 });
    await put("rules/support", supportRule);
    livekit.rooms.startRoom("support-1", { agents: [{ agentName: "own" }] });
    await waitUntil("its rule is followed", async () => (await agentsOf("support-1")).length === 4);
    await put("rules/later", { when: { room_pattern: "*" }, orders: [{ agent_name: "later" }] });
    const asked = () => livekit.calls.filter(({ method }) => method === "ListDispatch").length;
    const before = asked();
    await waitUntil("it was looked at again", () => asked() >= before + 3);
    expect(await agentsOf("support-1")).toEqual([...WANTED, "own"].sort());
  });

  test("are made up for by the rounds, without one: who was told died before the rules were followed", async () => {
    const api = await start();
    await put("rules/support", supportRule);
    const { sid } = livekit.rooms.startRoom("support-1");
    const info = Buffer.from(Room.encode(Room.create({ sid, name: "support-1" })).finish()).toString(
      "base64",
    );
    const said = { createdAt: Date.now(), isOver: false, saidAt: Date.now(), changes: [], keepMs: 60_000 };
    await api.ledger.mergeRoom({ room: "support-1", sid, info, ...said });
    await api.redis.zadd("muster:rooms", Date.now(), "support-1");
    // Its turn of the rounds is over.
    await api.redis.del("muster:rooms-round");
    await start({ roomsEveryMs: 200 });
    await waitUntil("its rule is followed", async () => (await agentsOf("support-1")).length === 3);
  });
});

class Died extends Error {}

describe("an api that dies", () => {
  /** Follows rules as an api does, up to the `n`th of its steps, which is done. */
  function dyingAfter(n: number): FollowRules {
    let done = 0;
    const mortal = <A extends unknown[], R>(run: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        if (done >= n) throw new Died();
        const result = await run(...args);
        done += 1;
        if (done >= n) throw new Died();
        return result;
      };
    };
    const redis = server.client();
    const parts = intakeParts(redis);
    const { ledger } = parts;
    const intake = acceptOrderOf(redis, parts);
    return new FollowRules({
      ledger: { followRules: mortal(ledger.followRules) },
      definitions: new Definitions({
        ledger: { changedDefinitions: mortal(ledger.changedDefinitions) },
        log: kit.silent,
      }),
      acceptOrder: { accept: mortal((order) => intake.accept(order)) },
      ...{ roomService: undefined, reconciler: kit.recordedLooks(), projects: ["default"], log: kit.silent },
      metrics: apiMetrics(createMetrics({ service: "test" })),
    });
  }

  test.each([1, 2, 3, 4, 5, 6])("after its step %i leaves it to the next word of the room", async (n) => {
    const api = await start();
    await put("rules/support", supportRule);
    const room = livekit.rooms.startRoom("support-1");
    const info = Buffer.from(Room.encode(room).finish()).toString("base64");
    const dying = dyingAfter(n);
    await expect(dying.look({ room: room.name, sid: room.sid, info })).rejects.toThrow(Died);
    await told(api);
    expect(await agentsOf("support-1")).toEqual(WANTED);
    for (const { jobs, agent } of await ordersOf("support-1"))
      expect({ agent, jobs }).toEqual({ agent, jobs: agent === "scribe" ? 0 : 1 });
  });
});
