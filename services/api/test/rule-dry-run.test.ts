/** What would come of the rules for a room: verdicts and orders, the same that are made when it starts, and no trace. */

import { startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  api = await kit.runApi(server);
});
afterEach(() => api.stop());
afterAll(() => server.stop());

const json = { "content-type": "application/json" };
interface DryRun {
  rules: { id: string; version: number; matches: boolean; failed: string[] }[];
  configurations: object[];
  orders: { agent_name: string; namespaces: string[] }[];
}
const put = async (path: string, body: object) => {
  const init = { method: "PUT", video: { roomAdmin: true }, body: JSON.stringify(body), headers: json };
  return (await (await api.rest(`/v1/${path}`, init)).json()) as { version: number };
};
const ask = (body: unknown, video: object = { roomList: true }) =>
  api.rest("/v1/rules/dry-run", { method: "POST", video, body: JSON.stringify(body), headers: json });
/** Seen to leave no trace. */
const dryRun = async (body: object): Promise<DryRun> => {
  const before = await kit.dump(api.redis);
  const answer = await ask(body);
  expect(answer.status).toBe(200);
  expect(await kit.dump(api.redis)).toEqual(before);
  return (await answer.json()) as DryRun;
};

test("says of each rule whether it matches, and what is against it", async () => {
  const orders = [{ agent_name: "agent" }];
  const { version } = await put("rules/yes", { when: { room_pattern: "a-*" }, orders });
  await put("rules/name", { when: { room_pattern: "b-*" }, orders });
  await put("rules/fields", {
    when: { room_pattern: "b-*", metadata: { tier: "gold", lang: "de" } },
    orders,
  });
  await put("rules/off", { enabled: false, when: { room_pattern: "*" }, orders });
  const { rules } = await dryRun({ room: "a-1", metadata: '{"lang":"de"}' });
  expect(rules[0]).toEqual({ id: "yes", version, matches: true, failed: [] });
  expect(rules.slice(1)).toMatchObject([
    { id: "name", matches: false, failed: ["when.room_pattern"] },
    { id: "fields", matches: false, failed: ["when.room_pattern", "when.metadata.tier"] },
    { id: "off", matches: false, failed: ["enabled"] },
  ]);
});

test("says what would be ordered, and where, and then that is what is ordered", async () => {
  for (const namespace of ["default:eu", "default:us"])
    await kit.registerWorker(api.ledger, { namespace, agent: "greeter" });
  const terms = {
    deployment: "blue",
    priority: 7,
    deadline_ms: 90_000,
    max_attempts: 2,
    restart_policy: "never",
    fallback: [{ after_ms: 5_000, agent_name: "voicemail" }],
  };
  await put("rules/r", {
    when: { room_pattern: "*" },
    orders: [
      { agent_name: "greeter", metadata: "secret", attributes: { a: "b" } },
      { ...terms, agent_name: "scribe", namespace: "asia", target: { for: "participants", kinds: ["sip"] } },
    ],
    configuration: "gone",
  });
  await put("room-configurations/c", { agents: [{ agent_name: "waiter" }] });
  const metadata = '{"muster_configuration":"c"}';
  const { configurations, orders } = await dryRun({ room: "room", metadata });
  expect(configurations).toEqual([
    { id: "gone", rule: "r", is_known: false },
    { id: "c", rule: null, is_known: true },
  ]);
  const defaults = {
    ...{ deployment: "", priority: 500, restart_policy: "on_failure", target: { for: "room" } },
    ...{ hold: false, keep_waiting: false, fallback: [] },
  };
  expect(orders).toEqual([
    {
      ...defaults,
      rule: "r",
      configuration: null,
      index: 0,
      agent_name: "greeter",
      namespaces: ["eu", "us"],
    },
    {
      ...{
        ...terms,
        ...{ hold: false, keep_waiting: false },
        rule: "r",
        configuration: null,
        index: 1,
        agent_name: "scribe",
        namespaces: ["asia"],
      },
      target: { for: "participants", kinds: ["sip"] },
    },
    { ...defaults, rule: null, configuration: "c", index: 0, agent_name: "waiter", namespaces: [""] },
  ]);
  const livekit = await startLivekitStandIn();
  livekit.rooms.startRoom("room", { metadata });
  await livekit.deliver(livekit.events, `${api.url}/webhook`);
  await livekit.stop();
  const made: string[] = [];
  for (const field of ["", "eu", "us", "asia"]) {
    const page = await (await api.rest(`/v1/orders?namespace=${field}`)).json();
    for (const { agent_name: agent } of (page as { orders: { agent_name: string }[] }).orders)
      made.push(`${agent} in ${field}`);
  }
  const planned = orders.flatMap(({ agent_name: agent, namespaces }) =>
    namespaces.map((field) => `${agent} in ${field}`),
  );
  expect(made.sort()).toEqual(planned.sort());
});

test("of no rules is nothing", async () => {
  expect(await dryRun({ room: "room" })).toEqual({ rules: [], configurations: [], orders: [] });
});

test.each<[string, unknown, string]>([
  ["no room", {}, "room"],
  ["an empty room", { room: "" }, "room"],
  ["a room that is too long", { room: "r".repeat(513) }, "room"],
  ["metadata that is too large", { room: "r", metadata: "m".repeat(512 * 1024 + 1) }, "metadata"],
  ["metadata that is no text", { room: "r", metadata: {} }, "metadata"],
  ["an unknown field", { room: "r", rule: "x" }, "rule"],
])("with %s is refused", async (_what, body, field) => {
  expect(await (await ask(body)).json()).toMatchObject({ status: 400, code: "invalid_argument", field });
});

test.each<[object, number]>([
  [{ roomAdmin: true }, 200],
  [{ roomAdmin: true, room: "room" }, 403],
  [{ roomJoin: true, room: "room" }, 403],
])("with the grant %j is answered with %i", async (video, status) => {
  expect((await ask({ room: "room" }, video)).status).toBe(status);
});
