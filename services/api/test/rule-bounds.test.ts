/** What rules and room configurations may not be: each refusal with its field, and with nothing written. */

import { MAX_ATTRIBUTES_BYTES, MAX_METADATA_BYTES } from "@muster/domain/limits";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DOOR_DEFAULTS } from "../src/door-policy.js";
import { MAX_DEFINITION_BYTES } from "../src/rules/definition-store.js";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
  api = await kit.runApi(server);
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

const put = async (path: string, body: string): Promise<Record<string, unknown>> => {
  const answer = await api.rest(path, {
    ...{ method: "PUT", video: { roomAdmin: true }, body },
    headers: { "content-type": "application/json" },
  });
  return { ...((await answer.json()) as object), status: answer.status };
};
const refused = async (path: string, body: unknown) => {
  const before = await kit.dump(api.redis);
  const problem = await put(path, typeof body === "string" ? body : JSON.stringify(body));
  expect(await kit.dump(api.redis)).toEqual(before);
  return problem;
};

const agent = { agent_name: "agent" };
const when = { room_pattern: "*" };
const rule = (more: object) => ({ when, orders: [agent], ...more });
const first = (more: object) => rule({ orders: [{ ...agent, ...more }] });
const LARGE = "m".repeat(MAX_METADATA_BYTES + 1);

test.each<[string, unknown, string | undefined]>([
  ["no object", "[]", undefined],
  ["no conditions", { orders: [agent] }, "when"],
  ["conditions of neither kind", rule({ when: {} }), "when"],
  ["an unknown condition", rule({ when: { ...when, room: "x" } }), "when.room"],
  ["an empty pattern", rule({ when: { room_pattern: "" } }), "when.room_pattern"],
  ["a pattern that is too long", rule({ when: { room_pattern: "ä".repeat(257) } }), "when.room_pattern"],
  ["a pattern that is no text", rule({ when: { room_pattern: 7 } }), "when.room_pattern"],
  ["metadata conditions of another type", rule({ when: { metadata: { tier: 1 } } }), "when.metadata.tier"],
  ["no metadata conditions", rule({ when: { metadata: {} } }), "when.metadata"],
  [
    "a metadata condition that would get lost",
    '{"when":{"metadata":{"__proto__":"x"}},"orders":[{"agent_name":"a"}]}',
    "when.metadata",
  ],
  ["neither orders nor a configuration", { when }, "orders"],
  ["an empty list of orders", rule({ orders: [] }), "orders"],
  ["too many orders", rule({ orders: Array.from({ length: 33 }, () => agent) }), "orders"],
  ["an order without an agent", rule({ orders: [agent, {}] }), "orders.1.agent_name"],
  ["an order with a room", first({ room: "x" }), "orders.0.room"],
  ["an agent name that is too long", first({ agent_name: "ä".repeat(129) }), "orders.0.agent_name"],
  [
    "metadata that is too large",
    rule({ orders: [agent, { ...agent, metadata: LARGE }] }),
    "orders.1.metadata",
  ],
  [
    "attributes that are too large",
    first({ attributes: { a: "v".repeat(MAX_ATTRIBUTES_BYTES) } }),
    "orders.0.attributes",
  ],
  ["a deployment with an underscore", first({ deployment: "a_b" }), "orders.0.deployment"],
  ["a namespace with a colon", first({ namespace: "a:b" }), "orders.0.namespace"],
  ["a priority above 1000", first({ priority: 1_001 }), "orders.0.priority"],
  [
    "a target that matches nobody",
    first({ target: { for: "participants", identities: [] } }),
    "orders.0.target.identities",
  ],
  [
    "a target of the room that narrows",
    first({ target: { for: "room", kinds: ["sip"] } }),
    "orders.0.target.kinds",
  ],
  ["a configuration that is no id", { when, configuration: "a b" }, "configuration"],
  ["an unknown field", rule({ priority: 1 }), "priority"],
  ["enabled that is no boolean", rule({ enabled: "yes" }), "enabled"],
])("a rule with %s is refused", async (_what, body, field) => {
  const problem = await refused("/v1/rules/r", body);
  expect(problem).toMatchObject({ status: 400, code: "invalid_argument" });
  expect(problem.field).toBe(field);
});

test.each<[string, object, string]>([
  ["no agents", {}, "agents"],
  ["an empty list of agents", { agents: [] }, "agents"],
  ["too many agents", { agents: Array.from({ length: 33 }, () => agent) }, "agents"],
  ["metadata that is too large", { agents: [agent], metadata: LARGE }, "metadata"],
  ["an agent's metadata that is too large", { agents: [{ ...agent, metadata: LARGE }] }, "agents.0.metadata"],
  ["an unknown field", { agents: [agent], when }, "when"],
])("a room configuration with %s is refused", async (_what, body, field) => {
  const problem = await refused("/v1/room-configurations/c", body);
  expect(problem).toMatchObject({ status: 400, code: "invalid_argument", field });
});

test.each(["/v1/rules/", "/v1/room-configurations/"])("%s takes ids that are ids", async (path) => {
  for (const id of ["a:b", "x".repeat(65), "%7Bx%7D"])
    expect(await refused(path + id, rule({}))).toMatchObject({ status: 400, field: "id" });
});

test("what is no JSON, or larger than is taken, is refused", async () => {
  expect(await refused("/v1/rules/r", "{")).toMatchObject({ status: 400, code: "malformed", field: "body" });
  // Each within its bound; together beyond what is stored of one.
  const half = { ...agent, metadata: "m".repeat(MAX_METADATA_BYTES) };
  expect(await refused("/v1/rules/r", rule({ orders: [half, half] }))).toMatchObject({
    ...{ status: 413, code: "too_large", message: expect.stringContaining(String(MAX_DEFINITION_BYTES)) },
  });
  // As stored, each of these is six.
  const escaped = { ...agent, metadata: "\u0001".repeat(MAX_METADATA_BYTES / 2) };
  expect(await refused("/v1/rules/r", rule({ orders: [escaped] }))).toMatchObject({ status: 413 });
  expect(await refused("/v1/rules/r", " ".repeat(4 * 1024 * 1024 + 1))).toMatchObject({
    status: 413,
    code: "too_large",
  });
});

test("what is just within bounds is taken", async () => {
  const large = { ...agent, metadata: "m".repeat(MAX_METADATA_BYTES) };
  expect(await put("/v1/rules/large", JSON.stringify(rule({ orders: [large] })))).toMatchObject({
    status: 201,
  });
  const many = { agents: Array.from({ length: 32 }, () => agent), metadata: "m".repeat(MAX_METADATA_BYTES) };
  expect(await put("/v1/room-configurations/many", JSON.stringify(many))).toMatchObject({ status: 201 });
});

test("more than 500 are refused, of each kind; those that are there stay, and can be changed", async () => {
  const [project, kind, text] = ["default", "configurations", "{}"];
  const bounds = { ifVersion: 0, maxCount: DOOR_DEFAULTS.roomConfigurations + 10, maxBytes: 1_000_000 };
  // Also more than the bound: an earlier version took them.
  for (let at = 1; at < DOOR_DEFAULTS.roomConfigurations + 5; at++)
    await api.ledger.putDefinition({ project, kind, id: `c${at}`, text, ...bounds });
  const body = JSON.stringify({ agents: [agent] });
  expect(await put("/v1/room-configurations/many", body)).toMatchObject({ status: 200 });
  expect(await refused("/v1/room-configurations/more", body)).toMatchObject({
    ...{
      status: 412,
      code: "failed_precondition",
      message: expect.stringContaining("at most 500 are kept (MUSTER_ROOM_CONFIGURATIONS)"),
    },
  });
  expect(await put("/v1/rules/r", JSON.stringify(rule({})))).toMatchObject({ status: 201 });
});
