/**
 * An order without a namespace goes to each that knows its agent: to a bounded number, or it is refused and makes nothing. Pools
 * that are known can be listed, and forgotten.
 */

import { systemClock } from "@muster/runtime/clock";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { KnownNamespaces } from "../src/known-namespaces.js";
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

const REQUEST = { room: "room", agent_name: "agent" };
const MOST = kit.policy.maxNamespacesPerOrder;

async function workersIn(count: number): Promise<string[]> {
  const sessions = [];
  for (let index = 0; index < count; index++)
    sessions.push(await kit.registerWorker(api.ledger, { namespace: `default:n${index}`, agent: "agent" }));
  return sessions;
}

const dispatch = (id = "r1") => api.twirp("CreateDispatch", REQUEST, { "x-livekit-request-id": id });
const order = (body: object) =>
  api.rest("/v1/orders", {
    method: "POST",
    video: { roomAdmin: true },
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ room: "room", agent_name: "agent", ...body }),
  });
const jobs = async () => (await api.redis.keys("muster:{default*}:job:*")).length;

test("an order goes to as many namespaces as may be", async () => {
  await workersIn(MOST);
  expect((await dispatch()).status).toBe(200);
  expect(await jobs()).toBe(MOST);
});

test("one more, and it is refused by name, with what to do, and nothing is made; one that names its namespace is taken", async () => {
  await workersIn(MOST + 1);
  const answer = await dispatch();
  expect(answer.status).toBe(412);
  expect(await answer.json()).toEqual({
    code: "failed_precondition",
    msg: expect.stringMatching(
      /"agent" is known in 65 namespaces, and an order goes to 64 at most: name one .*\/v1\/pools.*MUSTER_MAX_NAMESPACES_PER_ORDER/,
    ),
  });
  const refused = await order({});
  expect(refused.status).toBe(412);
  expect(await refused.json()).toMatchObject({ code: "too_many_namespaces" });
  expect(await jobs()).toBe(0);
  expect((await order({ namespace: "n3" })).status).toBe(201);
  expect(await jobs()).toBe(1);
});

test("an order that was made is repeated as it was, however many know its agent by then", async () => {
  await workersIn(2);
  const first = (await (await dispatch()).json()) as { id: string };
  await workersIn(MOST + 1);
  await api.stop();
  api = await kit.runApi(server);
  expect(await (await dispatch()).json()).toMatchObject({ id: first.id });
  expect(await jobs()).toBe(2);
  expect((await dispatch("r2")).status).toBe(412);
});

test("an order that has nowhere else to go keeps in mind where a worker was for a moment", async () => {
  const project = "default";
  const brief = { keepMs: 60_000, liveMs: 60_000, most: 64, must: false };
  await api.ledger.rememberAgent({ project, agent: "agent", namespaceName: "default:eu", ...brief });
  await dispatch();
  const until = async () =>
    Number(await api.redis.zscore("muster:{directory:default}:agent-until:agent", "default:eu"));
  expect(await until()).toBeGreaterThan(Date.now() + kit.policy.waitMs - 60_000);

  // Not where others are known for long.
  await server.flush();
  await api.ledger.rememberAgent({ project, agent: "agent", namespaceName: "default:eu", ...brief });
  await kit.registerWorker(api.ledger, { namespace: "default:us", agent: "agent" });
  await api.stop();
  api = await kit.runApi(server);
  await dispatch("r2");
  expect(await jobs()).toBe(2);
  expect(await until()).toBeLessThan(Date.now() + 60_001);
});

test("an order that was refused is taken as soon as a pool too many is forgotten", async () => {
  const [session = ""] = await workersIn(MOST + 1);
  expect((await dispatch()).status).toBe(412);
  const ending = { goodbye: true, clean: true, graceMs: 1, guardMs: 1 };
  await api.ledger.deregisterSession({ namespace: "default:n0", session, ...ending });
  const { pools } = await listed("?agent_name=agent&namespace=n0");
  const path = `/v1/pools/${pools[0]?.id}?namespace=n0`;
  expect((await api.rest(path, { method: "DELETE", video: { roomAdmin: true } })).status).toBe(200);
  expect((await dispatch("r2")).status).toBe(200);
  expect(await jobs()).toBe(MOST);
});

test("a list that was asked for before its agent was forgotten is not remembered", async () => {
  await workersIn(1);
  const known = new KnownNamespaces({ ledger: api.ledger, clock: systemClock });
  const asked = known.of("default", "agent");
  known.forget("default", "agent");
  expect((await asked).namespaces).toEqual(["default:n0"]);
  await api.ledger.forgetAgent({ project: "default", agent: "agent", namespaceName: "default:n0" });
  expect((await known.of("default", "agent")).namespaces).toEqual([]);
});

test("a namespace whose pools are forgotten makes room for another one at once, unless a worker is there", async () => {
  const bound = { project: "default", agent: "agent", keepMs: 60_000, liveMs: 180_000, most: 2, must: false };
  const come = (name: string) => api.ledger.rememberAgent({ ...bound, namespaceName: `default:${name}` });
  const [session = ""] = await workersIn(2);
  await api.ledger.keepNamespaces({
    project: "default",
    names: ["default:n0", "default:n1"],
    liveMs: 180_000,
  });
  const other = await kit.registerWorker(api.ledger, { namespace: "default:n0", agent: "other" });
  const { pools } = await listed("?namespace=n0");
  const forget = async (agent: string) => {
    const pool = pools.find(({ agent_name: name }) => name === agent);
    const path = `/v1/pools/${pool?.id}?namespace=n0`;
    expect((await api.rest(path, { method: "DELETE", video: { roomAdmin: true } })).status).toBe(200);
  };
  const end = (id: string) =>
    api.ledger.deregisterSession({
      ...{ namespace: "default:n0", session: id, goodbye: true, clean: true, graceMs: 1, guardMs: 1 },
    });
  const leave = { project: "default", namespaceName: "default:n0", liveMs: 180_000 };
  await end(session);
  // A gateway says that it has none; another one has.
  await api.ledger.leaveNamespace(leave);
  await forget("agent");
  expect(await come("n2")).toMatchObject({ status: "refused" });
  await end(other);
  expect(await come("n2")).toMatchObject({ status: "refused" });
  await forget("other");
  expect(await come("n2")).toMatchObject({ status: "remembered" });
});

interface Listed {
  pools: { id: string; namespace: string; agent_name: string; workers: number; jobs_waiting: number }[];
  next_cursor: string | null;
  total: number;
}

async function listed(query = ""): Promise<Listed> {
  const answer = await api.rest(`/v1/pools${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Listed;
}

test("pools are listed: of a namespace by pages, of an agent in all that know it", async () => {
  await workersIn(2);
  for (const agent of ["one", "two words", ""])
    await kit.registerWorker(api.ledger, { namespace: "default", agent });
  const first = await listed("?limit=2");
  expect(first).toMatchObject({ total: 3 });
  const rest = await listed(`?limit=2&cursor=${first.next_cursor}`);
  expect(rest.next_cursor).toBeNull();
  expect([...first.pools, ...rest.pools].map((pool) => pool.agent_name).sort()).toEqual([
    "",
    "one",
    "two words",
  ]);
  expect(await listed("?agent_name=two%20words")).toMatchObject({
    total: 1,
    pools: [{ namespace: "", workers: 1 }],
  });
  const agents = await listed("?agent_name=agent");
  expect(agents.pools.map(({ namespace }) => namespace)).toEqual(["n0", "n1"]);
  expect((await listed("?agent_name=agent&namespace=n1")).pools).toHaveLength(1);
  expect((await listed("?namespace=n1")).pools).toEqual(agents.pools.slice(1));
});

test("a pool without workers is forgotten, and orders no longer go there", async () => {
  const [session = ""] = await workersIn(2);
  const { pools } = await listed("?agent_name=agent");
  const path = `/v1/pools/${pools[0]?.id}?namespace=n0`;
  const forget = (video: object) => api.rest(path, { method: "DELETE", video });
  expect((await forget({ roomAdmin: true })).status).toBe(412);
  const ending = { goodbye: true, clean: true, graceMs: 1, guardMs: 1 };
  await api.ledger.deregisterSession({ namespace: "default:n0", session, ...ending });
  expect((await forget({ roomAdmin: true, room: "room" })).status).toBe(403);
  expect(await (await forget({ roomAdmin: true })).json()).toEqual({ forgotten: true });
  expect(await (await forget({ roomAdmin: true })).json()).toEqual({ forgotten: false });
  expect((await listed("?agent_name=agent")).pools.map(({ namespace }) => namespace)).toEqual(["n1"]);
  await dispatch();
  expect(await api.redis.keys("muster:{default:n0}:job:*")).toEqual([]);
  expect(await jobs()).toBe(1);
});
