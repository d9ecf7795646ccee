/** Which process hosts which name: shared out, taken over, found by the sweep, and nothing spent on names that rest. */
import { randomBytes } from "node:crypto";
import { createDueIndex } from "@muster/actor/due-index";
import { countCommands } from "@muster/runtime/redis/command-count";
import { closeRedis } from "@muster/runtime/redis/connect";
import { startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeGate, startHost, type TestHost } from "./actor-kit.js";

let server: RedisServer;
const hosts: TestHost[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.flush());
afterEach(async () => {
  for (const { lease, host } of hosts.splice(0)) {
    await lease.release();
    await host.stop({ deadlineMs: 1_000 });
  }
});

const QUICK = { leaseMs: 900, renewEveryMs: 300 };

async function host(
  ...[options, times]: [Parameters<typeof startHost>[1]?, Parameters<typeof startHost>[2]?]
) {
  const started = await startHost(server.client(), options, times);
  hosts.push(started);
  return started;
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `name ${index}`);
const agree = (...all: TestHost[]) =>
  waitUntil("all see each other", () => all.every(({ lease }) => lease.liveNodes().length === all.length));

describe("hosting", () => {
  it("shares 1,000 names out between two hosts: each taken by one, refused by the other", async () => {
    const [first, second] = [await host(), await host()];
    await agree(first, second);
    for (const name of names(1_000)) {
      const outcomes = [first, second].map((each) => each.host.deliver(name, "hello"));
      expect([...outcomes].sort()).toEqual(["not_owner", "taken"]);
      const owner = outcomes[0] === "taken" ? first : second;
      expect(first.host.ownerOf(name)).toBe(owner.lease.nodeId);
    }
    await waitUntil("all were taken", () => first.received.length + second.received.length === 1_000);
    for (const { host: each } of [first, second]) expect(each.hostedNames().length).toBeGreaterThan(400);
  });

  it("takes over the due names of a node that vanishes, within its lease and a second", async () => {
    const times = { leaseMs: 3_000, renewEveryMs: 1_000 };
    const stays = await host({}, times);
    const connection = server.client();
    const vanishes = await startHost(connection, {}, times);
    await agree(stays, vanishes);
    await Promise.all(names(100).map((name) => stays.index.markDue(name)));
    await waitUntil("all are hosted", () => {
      return stays.host.hostedNames().length + vanishes.host.hostedNames().length === 100;
    });
    expect(vanishes.host.hostedNames().length).toBeGreaterThan(20);
    connection.disconnect();
    const vanishedAt = performance.now();
    await waitUntil("the other hosts all", () => stays.host.hostedNames().length === 100, {
      deadlineMs: 6_000,
    });
    expect(performance.now() - vanishedAt).toBeLessThan(times.leaseMs + 1_000);
    await vanishes.host.stop({ deadlineMs: 1_000 });
    await vanishes.lease.release();
  });

  it("moves names to a node that joins: stopped here, what waited for them forwarded", async () => {
    const first = await host({}, QUICK);
    const gate = makeGate();
    first.onTurn = () => gate.passed;
    for (const name of names(200)) {
      first.host.deliver(name, "1");
      first.host.deliver(name, "2");
    }
    await waitUntil("a turn of each runs", () => first.received.length === 200);
    const second = await host({}, QUICK);
    await agree(first, second);
    const moved = names(200).filter((name) => first.host.ownerOf(name) === second.lease.nodeId);
    expect(moved.length).toBeGreaterThan(60);
    for (const name of moved) expect(first.host.deliver(name, "3")).toBe("not_owner");
    expect(first.forwarded).toEqual([]);
    gate.open();
    await waitUntil(
      "they are hosted here no more",
      () => first.host.hostedNames().length === 200 - moved.length,
    );
    expect(first.forwarded.map(({ name }) => name).sort()).toEqual([...moved].sort());
    expect(new Set(first.forwarded.map(({ message }) => message))).toEqual(new Set(["2"]));
    expect(first.host.counts.moved).toBe(moved.length);
    await waitUntil("the others took theirs", () => first.received.length === 400 - moved.length);
  });

  it("activates names that are due and hosted nowhere, and settles their marks once they are reviewed", async () => {
    const far = Date.now() + 3_600_000;
    const quick = await host({ sweepEveryMs: 100, settleMs: 300 });
    quick.nextDue = (name) => (name === "name 1" ? far : undefined);
    await Promise.all(names(2).map((name) => quick.index.markDue(name)));
    await waitUntil("both are hosted", () => quick.host.hostedNames().length === 2);
    expect(quick.reviewed).toEqual([]);
    await waitUntil("nothing is due", async () => (await quick.index.due(10)).length === 0);
    expect([...quick.reviewed].sort()).toEqual(["name 0", "name 1"]);
    const scores = await server.client().keys("muster:{index:*");
    expect(scores.length).toBe(1);
  });

  it("leaves a mark alone that is younger than its writer may take", async () => {
    const quick = await host({ sweepEveryMs: 20, settleMs: 60_000 });
    await quick.index.markDue("young");
    await waitUntil("it is hosted", () => quick.host.hostedNames().length === 1);
    const { sweeps } = quick.host.counts;
    await waitUntil("it swept five times more", () => quick.host.counts.sweeps >= sweeps + 5);
    expect(quick.reviewed).toEqual([]);
    expect((await quick.index.due(10)).map(({ name }) => name)).toEqual(["young"]);
  });

  it("keeps reviewing a name that says it is due still", async () => {
    const quick = await host({ sweepEveryMs: 50, settleMs: 0 });
    quick.nextDue = () => Date.now() - 1;
    await quick.index.markDue("stuck");
    await waitUntil("it was reviewed thrice", () => quick.reviewed.length >= 3);
  });

  it("hands over on stop: the turn finishes, what waited is forwarded, and nothing is taken", async () => {
    const [leaves, stays] = [await host({}, QUICK), await host({}, QUICK)];
    await agree(leaves, stays);
    const own = names(100).filter((name) => leaves.host.ownerOf(name) === leaves.lease.nodeId);
    const gate = makeGate();
    let finished = 0;
    leaves.onTurn = async () => {
      await gate.passed;
      finished += 1;
    };
    for (const name of own) for (const message of ["1", "2"]) leaves.host.deliver(name, message);
    await waitUntil("a turn of each runs", () => leaves.received.length === own.length);
    await leaves.lease.release();
    for (const name of own) expect(leaves.host.deliver(name, "late")).toBe("not_owner");
    for (const name of own) expect(leaves.host.ownerOf(name)).toBe(stays.lease.nodeId);
    const stopped = leaves.host.stop({ deadlineMs: 2_000 });
    gate.open();
    expect(await stopped).toBe(0);
    expect(finished).toBe(own.length);
    expect(leaves.forwarded.map(({ name }) => name).sort()).toEqual([...own].sort());
    expect(leaves.host.hostedNames()).toEqual([]);
  });

  it("lets actors go that do not end by the deadline, and says how many", async () => {
    const only = await host();
    only.onTurn = (name) => (name === "hangs" ? new Promise(() => {}) : undefined);
    for (const name of ["hangs", "ends"]) only.host.deliver(name, "hello");
    await waitUntil("both are in their turn", () => only.received.length === 2);
    expect(await only.host.stop({ deadlineMs: 100 })).toBe(1);
    expect(only.host.hostedNames()).toEqual(["hangs"]);
  });

  it("goes on when Redis was away, and does not sweep while its lease is lapsed", async () => {
    const only = await host({ sweepEveryMs: 50 }, { leaseMs: 400, renewEveryMs: 100 });
    only.host.deliver("kept", "hello");
    await waitUntil("it was taken", () => only.received.length === 1);
    server.freeze();
    try {
      await waitUntil("the lease lapsed", () => !only.lease.isHeld());
    } finally {
      server.thaw();
    }
    await waitUntil("it is held again", () => only.lease.isHeld());
    expect(only.host.hostedNames()).toEqual(["kept"]);
    await only.index.markDue("new");
    await waitUntil("the sweep works", () => only.host.hostedNames().includes("new"));
  });

  it("activates nothing while its lease is lapsed, though Redis answers", async () => {
    const only = await host({ sweepEveryMs: 20 }, { leaseMs: 300, renewEveryMs: 1_500 });
    await waitUntil("the lease lapsed", () => !only.lease.isHeld());
    await only.index.markDue("new");
    await waitUntil("it is held again", () => only.lease.isHeld(), {
      invariant: () => expect(only.host.hostedNames()).toEqual([]),
    });
    await waitUntil("the sweep works", () => only.host.hostedNames().includes("new"));
  });

  it("spends nothing on 5,000 names that rest", async () => {
    const redis = server.client();
    const options = { sweepEveryMs: 100, settleMs: 50, restAfterMs: 150 };
    const busy = await startHost(redis, options, { leaseMs: 120_000, renewEveryMs: 60_000 });
    hosts.push(busy);
    const far = Date.now() + 3_600_000;
    busy.nextDue = () => far;
    const marks = createDueIndex({ redis: server.client() });
    await Promise.all(names(5_000).map((name) => marks.markDue(name)));
    await waitUntil("all were hosted and rest", () => busy.host.counts.rested >= 5_000, {
      deadlineMs: 15_000,
    });
    await waitUntil("none is hosted", () => busy.host.hostedNames().length === 0);
    expect(busy.host.counts.activated).toBe(5_000);

    const commands = countCommands(redis);
    const sweepsBefore = busy.host.counts.sweeps;
    await waitUntil("it swept ten times", () => busy.host.counts.sweeps >= sweepsBefore + 10);
    const sweeps = busy.host.counts.sweeps - sweepsBefore;
    expect(Object.keys(commands.byName())).toEqual(["evalsha"]);
    expect(commands.total()).toBeLessThanOrEqual((sweeps + 1) * 16);
    expect(busy.host.hostedNames()).toEqual([]);
  }, 30_000);

  it("works on a Redis Cluster", async () => {
    const cluster = await startRedisCluster({ masters: 3 });
    try {
      const connections = [cluster.client(), cluster.client()] as const;
      const [first, second] = [
        await startHost(connections[0], {}, QUICK),
        await startHost(connections[1], {}, QUICK),
      ];
      await agree(first, second);
      await Promise.all(
        names(100).map((name) => first.index.markDue(`${name} ${randomBytes(4).toString("hex")}`)),
      );
      const hosted = () => first.host.hostedNames().length + second.host.hostedNames().length;
      await waitUntil("each is hosted once", () => hosted() === 100);
      await second.lease.release();
      await second.host.stop({ deadlineMs: 1_000 });
      await waitUntil("the other hosts all", () => first.host.hostedNames().length === 100);
      await first.lease.release();
      await first.host.stop({ deadlineMs: 1_000 });
      await Promise.all(connections.map(closeRedis));
    } finally {
      await cluster.stop();
    }
  });
});
