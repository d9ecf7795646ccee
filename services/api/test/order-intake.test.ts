/** Taking orders in: a call that is repeated, raced, or broken off between any two of its steps makes one order. */

import { createDueIndex } from "@muster/actor/due-index";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { AcceptOrder } from "../src/accept-order.js";
import type { NewOrder } from "../src/order-request.js";
import type { RoomReconciler } from "../src/rooms/reconcile-room.js";
import { acceptOrderOf, intakeParts } from "./accept-order-kit.js";
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

const request = { room: "room1", agent_name: "agent", metadata: "m" };
const order: NewOrder = {
  ...{ project: "default", room: "room1", agent: "agent", deployment: "", metadata: "m", attributes: {} },
  ...{ restartPolicy: "on_failure", priority: 500, target: { for: "room" } },
  ...{ namespace: undefined, waitMs: undefined, maxAttempts: undefined, fallback: [], hold: false },
  repeat: { by: "request_id", value: "request1" },
};

async function create(requestId = "request1", body: { room: string } = request): Promise<{ id: string }> {
  const answer = await api.twirp("CreateDispatch", body, { "x-livekit-request-id": requestId });
  expect(answer.status).toBe(200);
  return (await answer.json()) as { id: string };
}

/** What a namespace holds: ids of orders, jobs and queue entries. */
async function held(namespace: string) {
  const { ledger, redis } = api;
  const list = async (name: string, kind: string) =>
    (await ledger.listRecords({ namespace, list: name, kind, offset: 0, limit: 500 })).total;
  return {
    orders: await list("orders", "order"),
    jobs: await list("jobs", "job"),
    queued: await kit.queued(redis, namespace),
  };
}

test("the same request id twice is one order, one job, one queue entry, and the same answer", async () => {
  const first = await create();
  const second = await create();
  expect(second.id).toBe(first.id);
  expect(await held("default")).toEqual({ orders: 1, jobs: 1, queued: [first.id] });
});

test("the same request id twenty times at once is one order", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => create()));
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
  expect(await held("default")).toEqual({ orders: 1, jobs: 1, queued: [answers[0]?.id] });
});

test("another request id, room, agent or deployment is another order; without an id, each call is", async () => {
  await create();
  await create("request2");
  await create("request1", { ...request, room: "room2" });
  await create("request1", { ...request, ...{ agent_name: "other" } });
  await create("request1", { ...request, ...{ deployment: "blue" } });
  await api.twirp("CreateDispatch", request);
  await api.twirp("CreateDispatch", request);
  expect(await held("default")).toMatchObject({ orders: 7, jobs: 7 });
});

test("a repeat puts a lost queue entry back, while the job still waits for it", async () => {
  const { id } = await create();
  const entries = await api.redis.keys("muster:{default}:queue:*");
  await api.redis.del(...entries);
  await create();
  expect(await kit.queued(api.redis, "default")).toEqual([id]);
});

test("a repeat for a job that runs adds nothing, and tells how it stands", async () => {
  await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  const { id } = await create();
  const { records } = await api.ledger.listRecords({
    namespace: "default",
    list: "jobs",
    kind: "job",
    offset: 0,
    limit: 1,
  });
  await kit.runJob(api.ledger, "default", records[0]?.id ?? "");
  await api.redis.del(...(await api.redis.keys("muster:{default}:queue:*")));
  expect(await create()).toMatchObject({ id, state: { jobs: [{ state: { status: "JS_RUNNING" } }] } });
  expect(await kit.queued(api.redis, "default")).toEqual([]);
});

test("a repeat after the dispatch was deleted does not bring it back", async () => {
  const { id } = await create();
  await api.twirp("DeleteDispatch", { room: "room1", dispatch_id: id } as { room: string });
  expect(await create()).toMatchObject({ id, state: { jobs: [{ state: { status: "JS_FAILED" } }] } });
  expect(await held("default")).toMatchObject({ orders: 0, jobs: 0 });
});

test("a repeat goes where the first call went, though a worker registered elsewhere in between", async () => {
  const { id } = await create();
  await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "agent" });
  await create();
  expect(await held("default:eu")).toEqual({ orders: 0, jobs: 0, queued: [] });
  const elsewhere = await create("request2");
  await kit.registerWorker(api.ledger, { namespace: "default:us", agent: "agent" });
  await api.stop();
  api = await kit.runApi(server); // one that has nothing cached
  await create("request2");
  expect(await held("default:us")).toEqual({ orders: 0, jobs: 0, queued: [] });
  expect(await held("default:eu")).toEqual({ orders: 1, jobs: 1, queued: [elsewhere.id] });
  expect(await held("default")).toEqual({ orders: 1, jobs: 1, queued: [id] });
});

test("the first worker of an agent is seen by the very next order", async () => {
  await create("before");
  await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "agent" });
  const { id } = await create("after");
  expect((await held("default:eu")).queued).toEqual([id]);
});

class Died extends Error {}

/** An api process that dies right after its `count`th call of one step has been done. */
function dyingAfter(
  step: "enterOrder" | "createOrder" | "markDue" | "add",
  count: number,
  reconciler: RoomReconciler = kit.recordedLooks(),
): AcceptOrder {
  const redis = server.client();
  const { ledger, dueIndex, producer } = intakeParts(redis);
  let done = 0;
  let isDead = false;
  const mortal = <A extends unknown[], R>(name: typeof step, run: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (isDead) throw new Died();
      const result = await run(...args);
      if (isDead) throw new Died();
      if (name === step && ++done === count) {
        isDead = true;
        throw new Died();
      }
      return result;
    };
  };
  const parts = {
    ledger: {
      ...ledger,
      enterOrder: mortal("enterOrder", ledger.enterOrder),
      createOrder: mortal("createOrder", ledger.createOrder),
    },
    dueIndex: { markDue: mortal("markDue", dueIndex.markDue) },
    producer: { add: mortal("add", producer.add) },
  };
  return acceptOrderOf(redis, parts, reconciler);
}

test.each([
  ["markDue", 1],
  ["createOrder", 1],
  ["createOrder", 2],
  ["add", 1],
] as const)(
  "broken off after %s (%i), the repeat of an order for an unknown agent makes it whole",
  async (step, count) => {
    await expect(dyingAfter(step, count).accept(order)).rejects.toThrow(Died);
    const { id } = await create();
    expect(await held("default")).toEqual({ orders: 1, jobs: 1, queued: [id] });
  },
);

test.each([
  ["enterOrder", 1],
  ["createOrder", 1],
  ["createOrder", 2],
  ["add", 1],
  ["add", 2],
] as const)(
  "broken off after %s (%i), the repeat of an order in two namespaces makes both whole",
  async (step, count) => {
    await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
    await kit.registerWorker(api.ledger, { namespace: "default:eu", agent: "agent" });
    await expect(dyingAfter(step, count).accept(order)).rejects.toThrow(Died);
    // Must not become a part of an order that was begun without it.
    await kit.registerWorker(api.ledger, { namespace: "default:us", agent: "agent" });
    const { id } = await create();
    for (const namespace of ["default", "default:eu"]) {
      expect(await held(namespace)).toEqual({ orders: 1, jobs: 1, queued: [id] });
    }
    expect(await held("default:us")).toEqual({ orders: 0, jobs: 0, queued: [] });
  },
);

test("broken off before the queue entry, the order is found by the index and by its timer", async () => {
  await expect(dyingAfter("createOrder", 2).accept(order)).rejects.toThrow(Died);
  expect(await kit.queued(api.redis, "default")).toEqual([]);
  const due = await createDueIndex({ redis: api.redis }).due(10);
  expect(due.map(({ name }) => name)).toEqual(["default"]);
  const guards = await api.ledger.listDue({
    namespace: "default",
    limit: 10,
    nowMs: Date.now() + kit.policy.guardMs + 1_000,
  });
  expect(guards.timers.filter((timer) => timer.startsWith("job|"))).toHaveLength(1);
});

test("broken off after its place was entered, a key may be used for another namespace after a minute, and only there", async () => {
  const repeat = { by: "idempotency_key", value: "key1", apiKey: "devkey" } as const;
  const pinned = { ...order, namespace: "eu", repeat };
  await expect(dyingAfter("enterOrder", 1).accept(pinned)).rejects.toThrow(Died);
  await expect(dyingAfter("add", 2).accept({ ...pinned, namespace: "us" })).rejects.toThrow(
    "idempotency-key",
  );
  expect(await held("default:us")).toEqual({ orders: 0, jobs: 0, queued: [] });
  // As after a minute.
  await api.redis.del(...(await api.redis.keys("muster:{directory:default}:taken:*")));
  const { order: id } = await dyingAfter("add", 2).accept({ ...pinned, namespace: "us" });
  expect(await held("default:eu")).toEqual({ orders: 0, jobs: 0, queued: [] });
  expect(await held("default:us")).toEqual({ orders: 1, jobs: 1, queued: [id] });
  await expect(dyingAfter("add", 2).accept(pinned)).rejects.toThrow("idempotency-key");
  expect(await held("default:eu")).toEqual({ orders: 0, jobs: 0, queued: [] });
});

test("broken off after it was merged, its repeat is answered with that order, which has ended meanwhile", async () => {
  const { id } = await create();
  const keyed = {
    ...order,
    onePerRoom: true,
    repeat: { by: "idempotency_key", value: "key1", apiKey: "devkey" },
  } as const;
  await expect(dyingAfter("createOrder", 1).accept(keyed)).rejects.toThrow(Died);
  await api.twirp("DeleteDispatch", { room: "room1", dispatch_id: id } as { room: string });
  expect(await dyingAfter("add", 1).accept(keyed)).toMatchObject({ status: "merged", order: id });
  const other = { ...keyed, onePerRoom: false, namespace: "eu" };
  await expect(dyingAfter("add", 1).accept(other)).rejects.toThrow("idempotency-key");
  expect(await held("default")).toMatchObject({ orders: 0, jobs: 0 });
});

test("an order on participants is kept, and answered, though its room cannot be looked at", async () => {
  const reconciler = { room: () => Promise.reject(new Error("no room")) };
  const open: NewOrder = { ...order, target: { for: "participants" } };
  const accepted = await dyingAfter("add", 1, reconciler).accept(open);
  expect(accepted).toMatchObject({ status: "created", jobs: [] });
  expect(await held("default")).toEqual({ orders: 1, jobs: 0, queued: [] });
});
