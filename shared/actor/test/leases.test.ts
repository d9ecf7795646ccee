/** Who is live, who lapsed, and whether Redis still is the one we knew. */
import { GENERATION_KEY, leasesKey } from "@muster/actor/keys";
import { createNodeDirectory } from "@muster/actor/node-directory";
import type { LeaseListener, NodeLease } from "@muster/actor/node-lease";
import { systemClock } from "@muster/runtime/clock";
import { countCommands } from "@muster/runtime/redis/command-count";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type LeaseTimes, makeLease } from "./actor-kit.js";

let server: RedisServer;
const leases: NodeLease[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.flush());
afterEach(async () => {
  await Promise.all(leases.splice(0).map((lease) => lease.release()));
});

async function joined(times: LeaseTimes = {}): Promise<NodeLease> {
  const lease = makeLease(server.client(), times);
  leases.push(lease);
  await lease.start();
  return lease;
}

/** What a lease told, in order. */
function listenTo(lease: NodeLease): unknown[] {
  const events: unknown[] = [];
  const listener: LeaseListener = {
    onLapse: () => events.push("lapse"),
    onGenerationChange: (known, current) => events.push(["generation", known, current]),
    onRegain: () => events.push("regain"),
    onChange: (nodes) => events.push(["nodes", ...nodes]),
  };
  lease.subscribe(listener);
  return events;
}

const sorted = (...nodes: NodeLease[]) => nodes.map((node) => node.nodeId).sort();

describe("node leases", () => {
  it("show the nodes of one role to each other, and no other role's", async () => {
    const first = await joined();
    const events = listenTo(first);
    expect(first.liveNodes()).toEqual([first.nodeId]);
    expect(first.isHeld()).toBe(true);
    await joined({ role: "gateway" });
    const second = await joined();
    expect(second.liveNodes()).toEqual(sorted(first, second));
    await waitUntil("the first sees the second", () => first.liveNodes().length === 2);
    expect(events).toEqual([["nodes", ...sorted(first, second)]]);
  });

  it("are given up at once by a release", async () => {
    const [stays, leaves] = [await joined(), await joined()];
    const events = listenTo(leaves);
    await leaves.release();
    expect(await server.client().zscore(leasesKey("dispatcher"), leaves.nodeId)).toBeNull();
    expect(leaves.isHeld()).toBe(false);
    expect(events).toEqual([["nodes", stays.nodeId]]);
    await waitUntil("the other sees it gone", () => stays.liveNodes().length === 1, { deadlineMs: 1_500 });
  });

  it("end by themselves when their node dies, and its peers see it as they end", async () => {
    const times = { leaseMs: 900, renewEveryMs: 300 };
    const stays = await joined(times);
    const connection = server.client();
    const dies = makeLease(connection, times);
    await dies.start();
    await waitUntil("both are seen", () => stays.liveNodes().length === 2);
    connection.disconnect();
    const diedAt = performance.now();
    await waitUntil("it is gone", () => stays.liveNodes().length === 1);
    const tookMs = performance.now() - diedAt;
    expect(tookMs).toBeGreaterThan(times.leaseMs - times.renewEveryMs - 50);
    expect(tookMs).toBeLessThan(times.leaseMs + 300);
    await dies.release();
  });

  it("lapse when Redis does not answer, and are regained when it does, in the same generation", async () => {
    const lease = await joined({ leaseMs: 400, renewEveryMs: 100 });
    const generation = lease.generation();
    const events = listenTo(lease);
    server.freeze();
    try {
      await waitUntil("the lapse is noticed", () => events.length > 0, { deadlineMs: 2_000 });
      expect(lease.isHeld()).toBe(false);
    } finally {
      server.thaw();
    }
    await waitUntil("it is held again", () => lease.isHeld());
    expect(events).toEqual(["lapse", "regain"]);
    expect(lease.generation()).toBe(generation);
    expect(lease.counts).toMatchObject({ lapses: 1, generationChanges: 0 });
  });

  it("lapse also when another clock than ours saw them end", async () => {
    const lease = await joined({ renewEveryMs: 50 });
    const events = listenTo(lease);
    // As if Redis had been told of nothing for five seconds that did not pass here.
    await server.client().zadd(leasesKey("dispatcher"), Date.now() - 5_000, lease.nodeId);
    await waitUntil("it is noticed", () => events.includes("regain"));
    expect(events[0]).toBe("lapse");
  });

  it("find a new generation after a flush, one for all", async () => {
    const [first, second] = [await joined({ renewEveryMs: 100 }), await joined({ renewEveryMs: 100 })];
    const known = first.generation();
    expect(second.generation()).toBe(known);
    const [seenByFirst, seenBySecond] = [listenTo(first), listenTo(second)];
    await server.flush();
    await waitUntil("both noticed", () => first.generation() !== known && second.generation() !== known);
    expect(second.generation()).toBe(first.generation());
    expect(await server.client().get(GENERATION_KEY)).toBe(first.generation());
    const change = ["generation", known, first.generation()];
    expect(seenByFirst.filter((event) => Array.isArray(event) && event[0] === "generation")).toEqual([
      change,
    ]);
    expect(seenBySecond.filter((event) => Array.isArray(event) && event[0] === "generation")).toEqual([
      change,
    ]);
  });

  it("find a new generation, once, when Redis comes back without writes that it had confirmed", async () => {
    const [first, second] = [await joined({ renewEveryMs: 100 }), await joined({ renewEveryMs: 100 })];
    const known = first.generation();
    const client = server.client();
    // An older state in one step, as a failover to a replica that lagged leaves it: each lease as it was half a second ago.
    const older = Date.now() + 2_500;
    await client.zadd(leasesKey("dispatcher"), older, first.nodeId, older, second.nodeId);
    await waitUntil("both noticed", () => first.generation() !== known && second.generation() !== known);
    const current = first.generation();
    const renewed = second.counts.renewals;
    await waitUntil("it renewed some more", () => second.counts.renewals > renewed + 3);
    expect([first.generation(), second.generation()]).toEqual([current, current]);
    expect([first.counts.generationChanges, second.counts.generationChanges]).toEqual([1, 1]);
  });

  it("survive a restart of Redis that keeps its data as the same generation", async () => {
    const durable = await startRedis({ appendOnly: true });
    try {
      const lease = makeLease(durable.client(), { renewEveryMs: 100 });
      await lease.start();
      const events = listenTo(lease);
      await durable.restart();
      const renewed = lease.counts.renewals;
      await waitUntil("it renews again", () => lease.counts.renewals > renewed + 2);
      expect(events.filter((event) => Array.isArray(event))).toEqual([]);
      await lease.release();
    } finally {
      await durable.stop();
    }
  });

  it("go on when a listener throws", async () => {
    const lease = await joined({ renewEveryMs: 50 });
    lease.subscribe({
      onChange: () => {
        throw new Error("a listener's bug");
      },
    });
    const events = listenTo(lease);
    await joined();
    await waitUntil("the other listener is told", () => events.length === 1);
    expect(lease.counts.failures).toBe(0);
  });
});

describe("the node directory", () => {
  it("reads on demand, at most once in its time, and once for all who ask together", async () => {
    const gateway = await joined({ role: "gateway" });
    const redis = server.client();
    await redis.ping();
    const commands = countCommands(redis);
    const directory = createNodeDirectory({ redis, clock: systemClock });
    expect(commands.total()).toBe(0);
    const answers = await Promise.all([1, 2, 3].map(() => directory.live("gateway")));
    for (const answer of answers) expect(answer).toEqual([gateway.nodeId]);
    for (let call = 0; call < 100; call++) await directory.live("gateway");
    // The script's text once, where the server does not know its sha yet.
    expect(commands.byName()).toEqual({ evalsha: 1, eval: 1 });
  });

  it("forgets a node until it reads again", async () => {
    const [first, second] = [await joined({ role: "gateway" }), await joined({ role: "gateway" })];
    const directory = createNodeDirectory({ redis: server.client(), clock: systemClock, cacheMs: 200 });
    expect(await directory.live("gateway")).toEqual(sorted(first, second));
    directory.forget(first.nodeId);
    expect(await directory.live("gateway")).toEqual([second.nodeId]);
    await waitUntil("it read again", async () => (await directory.live("gateway")).length === 2);
    const reading = createNodeDirectory({ redis: server.client(), clock: systemClock });
    const underWay = reading.live("gateway");
    reading.forget(first.nodeId);
    expect(await underWay).toEqual([second.nodeId]);
  });
});
