/** Idempotency keys: one order for one key, whatever happens to the calls and to the order; never another's. */

import { createHash, randomBytes } from "node:crypto";
import { idFrom } from "@muster/domain/ids";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { verifyAccessToken } from "@muster/wire/access-token";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { firstJobs, orderFacts } from "../src/order-facts.js";
import { formerOrderIdOf, orderIdOf } from "../src/order-ids.js";
import { NewOrderBody, newOrderOf } from "../src/rest/new-order.js";
import * as kit from "./kit.js";
import { policy, token } from "./kit.js";

const apiKeys = new Map([...kit.keys, ["other", "other secret"]]);

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  api = await kit.runApi(server, { apiKeys });
});
afterEach(() => api.stop());
afterAll(() => server.stop());

interface Answer {
  status: number;
  body: { id: string; state: string; code?: string; field?: string; jobs: object[] } & Record<
    string,
    unknown
  >;
}

const minimal = { room: "room1", agent_name: "agent" };
const whole = {
  ...minimal,
  ...{ namespace: "", deployment: "blue", metadata: "m", attributes: { b: "2", a: "1" }, priority: 7 },
  ...{ deadline_ms: 90_000, restart_policy: "never", max_attempts: 5 },
  target: {
    for: "participants",
    identities: ["b", "a"],
    attributes: { y: "2", x: "1" },
    kinds: ["sip", "agent"],
  },
};

async function make(
  body: object = minimal,
  key: string | null = "key1",
  header = "idempotency-key",
): Promise<Answer> {
  const answer = await api.rest("/v1/orders", {
    ...{ method: "POST", video: { roomAdmin: true }, body: JSON.stringify(body) },
    headers: { "content-type": "application/json", ...(key === null ? {} : { [header]: key }) },
  });
  return { status: answer.status, body: (await answer.json()) as Answer["body"] };
}

/** The same call with a token of another API key. */
const makeBy = async (apiKey: string, key: string, body: object = minimal) => {
  const by = { apiKey, secret: apiKeys.get(apiKey) ?? "" };
  const answer = await fetch(`${api.url}/v1/orders`, {
    ...{ method: "POST", body: JSON.stringify(body) },
    headers: {
      ...{ "content-type": "application/json", "idempotency-key": key },
      authorization: `Bearer ${token({ roomAdmin: true }, by)}`,
    },
  });
  return { status: answer.status, body: (await answer.json()) as Answer["body"] };
};

const live = async (namespace = "") => {
  const page = await api.rest(`/v1/orders?namespace=${namespace}`);
  return ((await page.json()) as { total: number }).total;
};

test.each([["idempotency-key"], ["x-livekit-request-id"]])("%s twice is one order", async (header) => {
  const first = await make(minimal, "key1", header);
  const second = await make(minimal, "key1", header);
  expect([first.status, second.status]).toEqual([201, 200]);
  expect(second.body).toEqual(first.body);
  expect(await live()).toBe(1);
  expect(await kit.queued(api.redis, "default")).toEqual([first.body.id]);
});

test("the key comes before LiveKit's request id, and stands for the same under either name", async () => {
  const { body } = await make(minimal, "key1");
  expect((await make(minimal, "key1", "x-livekit-request-id")).body.id).toBe(body.id);
  expect((await make(minimal, "key2", "x-livekit-request-id")).body.id).not.toBe(body.id);
});

test("another key, or none, is another order", async () => {
  await make(minimal, "key1");
  for (const key of ["key2", "Key1", null, null]) expect((await make(minimal, key)).status).toBe(201);
  expect(await live()).toBe(5);
});

test("twenty at once are one order", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => make()));
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
  expect(await live()).toBe(1);
});

test("what is the same is the same in any order and with what is left out spelled out", async () => {
  const first = await make(whole);
  expect(first.status).toBe(201);
  const shuffled = {
    ...Object.fromEntries(Object.entries(whole).reverse()),
    attributes: { a: "1", b: "2" },
    target: {
      kinds: ["agent", "sip"],
      attributes: { x: "1", y: "2" },
      identities: ["a", "b", "a"],
      for: "participants",
    },
  };
  expect(await make(shuffled)).toEqual({ status: 200, body: first.body });
  const plain = await make(minimal, "key2");
  const spelled = {
    deployment: "",
    metadata: "",
    attributes: {},
    priority: 500,
    restart_policy: "on_failure",
  };
  expect((await make({ ...minimal, ...spelled, target: { for: "room" } }, "key2")).body).toEqual(plain.body);
});

test.each<[string, object]>([
  ["room", { room: "room2" }],
  ["agent_name", { agent_name: "other" }],
  ["namespace", { namespace: "eu" }],
  ["no namespace", { namespace: undefined }],
  ["deployment", { deployment: "green" }],
  ["metadata", { metadata: "n" }],
  ["attributes", { attributes: { a: "1", b: "3" } }],
  ["fewer attributes", { attributes: { a: "1" } }],
  ["priority", { priority: 8 }],
  ["deadline_ms", { deadline_ms: 90_001 }],
  ["no deadline_ms", { deadline_ms: undefined }],
  ["restart_policy", { restart_policy: "on_failure" }],
  ["max_attempts", { max_attempts: 6 }],
  ["the target's group", { target: { ...whole.target, for: "publishers" } }],
  ["the target's identities", { target: { ...whole.target, identities: ["a"] } }],
  ["the target's pattern", { target: { ...whole.target, identity_pattern: "*" } }],
  ["the target's attributes", { target: { ...whole.target, attributes: { x: "1" } } }],
  ["the target's kinds", { target: { ...whole.target, kinds: ["sip"] } }],
])("the same key with another body (%s) is refused, and changes nothing", async (_what, other) => {
  await make(whole);
  const before = await kit.dump(api.redis);
  const { status, body } = await make({ ...whole, ...other });
  expect({ status, ...body }).toMatchObject({
    status: 409,
    code: "already_exists",
    field: "idempotency-key",
  });
  expect(await kit.dump(api.redis)).toEqual(before);
});

test("two bodies at once under one key: one is made, the other is refused", async () => {
  for (let round = 0; round < 10; round++) {
    const key = `race${round}`;
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        make({ ...minimal, metadata: at % 2 === 0 ? "even" : "odd" }, key),
      ),
    );
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    const isOf =
      (metadata: unknown) =>
      ({ status }: Answer, at: number) =>
        (at % 2 === 0 ? "even" : "odd") === metadata ? status !== 409 : status === 409;
    expect(answers.every(isOf(made[0]?.body.metadata))).toBe(true);
    expect(await live()).toBe(round + 1);
  }
});

test("two bodies at once under one key that would go to different namespaces: one is made", async () => {
  for (let round = 0; round < 10; round++) {
    const key = `apart${round}`;
    const bodies = ["eu", "us"].map((namespace) => ({ ...minimal, namespace }));
    const answers = await Promise.all(bodies.map((body) => make(body, key)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    const again = await Promise.all(bodies.map((body) => make(body, key)));
    expect(again.map(({ status }) => status)).toEqual(
      answers.map(({ status }) => (status === 201 ? 200 : 409)),
    );
    expect((await live("eu")) + (await live("us"))).toBe(round + 1);
  }
});

test("a key that a call took and died with is its own for a minute, then anybody's", async () => {
  const { body } = await make();
  await api.redis.del(...(await api.redis.keys("muster:{default}:*"))); // as if it had not come so far
  expect((await make({ ...minimal, metadata: "other" })).status).toBe(409);
  expect(await make()).toMatchObject({ status: 201, body: { id: body.id } });
  const [taken = ""] = await api.redis.keys("muster:{directory:default}:taken:*");
  expect(await api.redis.pttl(taken)).toBeGreaterThan(30_000);
  expect(await api.redis.pttl(taken)).toBeLessThanOrEqual(60_000);
});

test("after deletion, the key still stands for the order that was deleted", async () => {
  const { body } = await make();
  await api.rest(`/v1/orders/${body.id}`, { method: "DELETE", video: { roomAdmin: true } });
  const again = await make();
  expect(again).toMatchObject({ status: 200, body: { id: body.id, state: "deleted" } });
  expect((await make({ ...minimal, metadata: "other" })).status).toBe(409);
  expect(await live()).toBe(0);
});

test("once its order is forgotten, so is the key", async () => {
  const { body } = await make();
  await api.rest(`/v1/orders/${body.id}`, { method: "DELETE", video: { roomAdmin: true } });
  const nowMs = Date.now() + kit.policy.retainMs + 1_000;
  await api.ledger.sweepEnded({ namespace: "default", retainMs: kit.policy.retainMs, limit: 100, nowMs });
  // That it was taken is forgotten long before.
  await api.redis.del(...(await api.redis.keys("muster:{directory:default}:taken:*")));
  expect(await make({ ...minimal, metadata: "other" })).toMatchObject({
    status: 201,
    body: { state: "live" },
  });
});

test("a key stands for an order in other namespaces too, wherever its agent is known by then", async () => {
  await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "agent" });
  const { body } = await make();
  expect(body.namespaces).toEqual(["eu"]);
  await kit.registerWorker(api.ledger, { namespace: "default:us", agent: "agent" });
  await api.stop();
  api = await kit.runApi(server); // one that has nothing cached
  expect(await make()).toEqual({ status: 200, body });
  expect((await make({ ...minimal, agent_name: "unknown" })).status).toBe(409);
  expect([await live(), await live("eu"), await live("us")]).toEqual([0, 1, 0]);
});

test("a repeat puts a lost queue entry back", async () => {
  const { body } = await make();
  await api.redis.del(...(await api.redis.keys("muster:{default}:queue:*")));
  await make();
  expect(await kit.queued(api.redis, "default")).toEqual([body.id]);
});

test("a key is not what LiveKit's dispatch call knows its repeats by", async () => {
  const headers = { "x-livekit-request-id": "key1" };
  const dispatch = (await (await api.twirp("CreateDispatch", minimal, headers)).json()) as { id: string };
  const { status, body } = await make(minimal, "key1", "x-livekit-request-id");
  expect(status).toBe(201);
  expect(body.id).not.toBe(dispatch.id);
});

test("a key is its API key's own: the same text of another one is another call, with any content", async () => {
  const ours = await makeBy("devkey", "call-4711");
  const theirs = await makeBy("other", "call-4711", { ...minimal, room: "room2" });
  expect([ours.status, theirs.status]).toEqual([201, 201]);
  expect(theirs.body.id).not.toBe(ours.body.id);
  expect((await makeBy("other", "call-4711", { ...minimal, room: "room2" })).body.id).toBe(theirs.body.id);
  expect((await makeBy("devkey", "call-4711")).body.id).toBe(ours.body.id);
  expect(await makeBy("other", "call-4711")).toMatchObject({ status: 409, body: { code: "already_exists" } });
  expect(await live()).toBe(2);
});

test.each([
  ["in the default namespace", undefined, "default"],
  ["elsewhere", "eu", "default:eu"],
])(
  "a call that an earlier version took, whose keys were all callers', is repeated, not made anew (%s)",
  async (_where, namespace, fullName) => {
    const body = { ...minimal, ...(namespace !== undefined && { namespace }) };
    const order = newOrderOf(someCaller(), NewOrderBody.parse(body), { "idempotency-key": "k" });
    const former = formerOrderIdOf(order) ?? "";
    const room = { status: "unknown" } as const;
    const create = {
      ...{ namespace: fullName, order: former, room: order.room, facts: orderFacts(order, policy, room) },
      newJobs: firstJobs(fullName, order, former, policy, room),
      ...{ retainMs: 60_000, guardMs: 5_000, waitMs: 60_000, listenMs: 0, knownForMs: -1 },
    };
    const first = await api.ledger.createOrder({ ...create, rests: -1 });
    if (first.status === "unindexed") await api.ledger.createOrder({ ...create, rests: first.rests });
    const entry = { project: "default", order: former, room: order.room };
    await api.ledger.enterOrder({ ...entry, namespaces: [fullName], keepMs: 60_000 });
    expect(await make(body, "k")).toMatchObject({ status: 200, body: { id: former } });
    // Another content under it was another caller's, as far as anybody knows.
    const other = await make({ ...body, metadata: "other" }, "k");
    expect(other.status).toBe(201);
    expect(other.body.id).not.toBe(former);
  },
);

test("names that have the separator of parts in them are told apart", () => {
  const order = { ...newOrderOf(someCaller(), NewOrderBody.parse(minimal), {}), deployment: "" };
  const idOf = (room: string, agent: string) =>
    orderIdOf({ ...order, room, agent, repeat: { by: "request_id", value: "r" } }, randomBytes);
  expect(idOf("a\0b", "c")).not.toBe(idOf("a", "b\0c"));
  expect(idOf("a\0b", "c")).toBe(idOf("a\0b", "c"));
  // As every version before had it.
  const plain = createHash("sha256").update(["default", "a", "b", "", "r"].join("\0")).digest();
  expect(idOf("a", "b")).toBe(idFrom("order", plain));
});

function someCaller() {
  return { project: "default", claims: verifyAccessToken(token({ roomAdmin: true }), apiKeys, Date.now()) };
}
