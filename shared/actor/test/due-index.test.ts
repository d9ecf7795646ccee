/** The index that finds names nobody hosts: a mark is never lost to somebody who looked before it was made. */
import { createDueIndex, type DueIndex, type DueName } from "@muster/actor/due-index";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type RedisCluster, startRedisCluster } from "@muster/test/kit/redis-cluster";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

interface Backend {
  start: () => Promise<RedisServer | RedisCluster>;
}

const backends: Record<string, Backend> = {
  "a single Redis": { start: () => startRedis() },
  "a Redis Cluster": { start: () => startRedisCluster() },
};

describe.each(Object.entries(backends))("the due index on %s", (_name, { start }) => {
  let server: RedisServer | RedisCluster;
  let redis: RedisClient;
  let index: DueIndex;

  beforeAll(async () => {
    server = await start();
    redis = server.client();
    index = createDueIndex({ redis });
  });
  afterAll(() => server.stop());
  beforeEach(() => server.flush());

  async function seen(name: string): Promise<DueName> {
    const found = (await index.due(100)).find((due) => due.name === name);
    if (found === undefined) throw new Error(`${name} is not due`);
    return found;
  }

  it("lists what is due, and not what is due later", async () => {
    const names = Array.from({ length: 200 }, (_, number) => `name ${number}`);
    await Promise.all(names.map((name) => index.markDue(name)));
    expect((await index.due(100)).map((due) => due.name).sort()).toEqual([...names].sort());
    const { score } = await seen("name 7");
    expect(await index.reschedule("name 7", score, Date.now() + 60_000)).toBe("rescheduled");
    expect((await index.due(100)).map((due) => due.name)).not.toContain("name 7");
    expect((await index.listed(100)).sort()).toEqual([...names].sort());
    const few = await index.listed(1);
    expect(few.length).toBeGreaterThan(8);
    expect(few.length).toBeLessThanOrEqual(16);
  });

  it("limits what it lists of each bucket, and begins with the longest due", async () => {
    const names = Array.from({ length: 200 }, (_, number) => `name ${number}`);
    for (const name of names) await index.markDue(name);
    const first = await index.due(1);
    expect(first.length).toBe(16);
    const starts = new Set(first.map((due) => due.name));
    let before = -1;
    for (const { name } of await index.due(200)) {
      const number = names.indexOf(name);
      // Buckets follow each other; within one, the order is that of the marks.
      if (!starts.has(name)) expect(number).toBeGreaterThan(before);
      before = number;
    }
  });

  it("gives every mark another score, however fast they come", async () => {
    const scores = new Set<string>();
    for (let mark = 0; mark < 300; mark++) {
      await index.markDue("busy");
      scores.add((await seen("busy")).score);
    }
    expect(scores.size).toBe(300);
  });

  it("keeps a mark that was made after the look, whatever the looker then does", async () => {
    await index.markDue("raced");
    const before = await seen("raced");
    await index.markDue("raced");
    const after = await seen("raced");
    expect(await index.reschedule("raced", before.score, Date.now() + 60_000)).toBe("changed");
    expect(await index.remove("raced", before.score)).toBe("changed");
    expect((await seen("raced")).score).toBe(after.score);
    expect(await index.remove("raced", after.score)).toBe("removed");
    expect(await index.due(100)).toEqual([]);
  });

  it("lets one of two lookers settle a mark, and says so to the other, also under retry", async () => {
    await index.markDue("settled");
    const { score } = await seen("settled");
    const dueAtMs = Date.now() + 60_000;
    const outcomes = await Promise.all([1, 2].map(() => index.reschedule("settled", score, dueAtMs)));
    expect(outcomes.sort()).toEqual(["changed", "rescheduled"]);
    expect(await index.remove("settled", score)).toBe("changed");
    expect(await index.remove("absent", score)).toBe("changed");
    expect(await index.reschedule("absent", score, dueAtMs)).toBe("changed");
    expect(await index.due(100)).toEqual([]);
  });

  it("never loses a mark to a looker, in 300 races of two connections", async () => {
    const rival = createDueIndex({ redis: server.client() });
    for (let race = 0; race < 300; race++) {
      await index.markDue("raced");
      const { score } = await seen("raced");
      const [, outcome] = await Promise.all(
        race % 2 === 0
          ? [index.markDue("raced"), rival.remove("raced", score)]
          : [index.markDue("raced"), rival.reschedule("raced", score, Date.now() + 60_000)],
      );
      expect(["removed", "rescheduled", "changed"]).toContain(outcome);
      // The mark that raced is there, either because it came after or because it was respected.
      expect((await seen("raced")).score).not.toBe(score);
    }
  });
});
