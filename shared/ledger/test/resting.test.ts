import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { FACTS, GUARD_MS, LEASE_MS, newJob, ORDER, POOL, RETAIN_MS, WAIT_MS } from "./scene.js";

onEachRedis("rest", (scene) => {
  const create = (rests: number, order = "AD_1") => {
    const s = scene();
    const times = { retainMs: RETAIN_MS, guardMs: GUARD_MS, waitMs: WAIT_MS };
    const newJobs = [newJob(order.replace("AD", "AJ"))];
    return s.ledger.createOrder({
      ...s.at,
      order,
      room: "room",
      facts: ORDER,
      newJobs,
      ...times,
      listenMs: 0,
      knownForMs: -1,
      rests,
    });
  };
  const register = (rests: number) => {
    const s = scene();
    const session = { session: "AW_1", gateway: "NO_g", pool: POOL, facts: FACTS, leaseMs: LEASE_MS };
    return s.ledger.registerSession({ ...s.at, ...session, rests });
  };

  test("who brings the first work lists the namespace in the index, then calls again", async () => {
    expect(await create(-1)).toEqual({ status: "unindexed", rests: 0 });
    expect(await create(0)).toEqual({ status: "created" });
    expect(await create(-1, "AD_2")).toEqual({ status: "created" });
    expect(await register(-1)).toEqual({ status: "registered", serve: "", answerMs: 0 });
  });

  test("a namespace with a session or a live job does not rest", async () => {
    const s = scene();
    await register(0);
    expect(await s.rest()).toEqual({ status: "busy", queued: 0, told: 0 });
    await s.order("AD_1");
    await s.deregister("AW_1");
    expect(await s.rest()).toEqual({ status: "busy", queued: 0, told: 0 });
    await s.endJob("AJ_1");
    expect(await s.rest()).toEqual({ status: "resting", next: s.nowMs + RETAIN_MS });
  });

  test("a namespace of which nothing is left rests without a next timer", async () => {
    const s = scene();
    await register(0);
    await s.deregister("AW_1");
    expect(await s.rest()).toEqual({ status: "resting", next: -1 });
    expect(await s.timer("gateway|NO_g")).toBeUndefined();
  });

  test("a namespace whose queue holds an entry does not rest, whoever has it in hand", async () => {
    const s = scene();
    const queue = (part: string) => `muster:{${s.namespace}}:queue:${part}`;
    await s.redis.zadd(queue("prioritized"), 1, "AD_1");
    await s.redis.rpush(queue("wait"), "AD_2");
    expect(await s.rest()).toEqual({ status: "busy", queued: 2, told: 0 });
    await s.redis.del(queue("prioritized"), queue("wait"));
    await s.redis.rpush(queue("active"), "AD_1");
    expect(await s.rest()).toEqual({ status: "busy", queued: 0, told: 0 });
    await s.redis.del(queue("active"));
    await s.redis.zadd(queue("delayed"), 1, "AD_1");
    expect(await s.rest()).toEqual({ status: "busy", queued: 0, told: 0 });
    await s.redis.del(queue("delayed"));
    expect(await s.rest()).toEqual({ status: "resting", next: -1 });
  });

  test("an index entry written before the namespace went to rest does not count", async () => {
    const s = scene();
    expect(await create(-1)).toEqual({ status: "unindexed", rests: 0 });
    await register(0);
    await s.deregister("AW_1");
    await s.rest();
    // The actor that rested may have removed the entry that was written for 0.
    expect(await create(0)).toEqual({ status: "unindexed", rests: 1 });
    expect(await register(0)).toEqual({ status: "unindexed", rests: 1 });
    expect(await create(1)).toEqual({ status: "created" });
    expect(await s.rest()).toEqual({ status: "busy", queued: 0, told: 0 });
  });

  test("rest that races the first order either sees it or sends it to the index", async () => {
    const s = scene();
    for (let round = 0; round < 20; round++) {
      const order = `AD_${round}`;
      const rests = Number((await s.redis.hget(`muster:{${s.namespace}}:index`, "rests")) ?? 0);
      const calls = [() => create(rests, order), () => s.rest()];
      if (round % 2 === 0) calls.reverse();
      const replies = await Promise.all(calls.map((call) => call()));
      const statuses = replies.map(({ status }) => status);
      const isSafe = statuses.includes("busy")
        ? statuses.includes("created")
        : statuses.includes("unindexed");
      expect(isSafe, statuses.join()).toBe(true);
      await s.endJob(`AJ_${round}`);
      await s.rest();
    }
  });

  test("due timers are listed up to now, and when the next one is", async () => {
    const s = scene();
    await s.order("AD_1");
    const due = (limit = 10) => s.ledger.listDue({ ...s.at, limit });
    expect(await due()).toEqual({ status: "due", timers: [], next: s.nowMs + GUARD_MS, now: s.nowMs });
    s.pass(GUARD_MS - 1);
    expect(await due()).toMatchObject({ timers: [], next: s.nowMs + 1 });
    s.pass(1);
    expect(await due()).toMatchObject({ timers: ["job|AJ_1"], next: -1 });
    s.pass(1);
    await s.order("AD_2");
    expect(await due()).toMatchObject({ timers: ["job|AJ_1"], next: s.nowMs + GUARD_MS });
    s.pass(GUARD_MS);
    expect((await due(1)).timers).toEqual(["job|AJ_1"]);
  });

  test("without a time of its own a script goes by Redis", async () => {
    const s = scene();
    const before = Date.now();
    const { now } = await s.ledger.listDue({ namespace: s.namespace, limit: 1 });
    expect(Math.abs(now - before)).toBeLessThan(5_000);
  });
});

onEachRedis("the directory", (scene) => {
  test("an order is found by its id and by its room, in every namespace it entered", async () => {
    const { namespace: project, ledger } = scene();
    const enter = (order: string, namespaces: string[]) =>
      ledger.enterOrder({ project, order, room: "room", namespaces, keepMs: 60_000 });
    expect(await enter("AD_1", [`${project}:eu`])).toEqual({ status: "entered" });
    expect(await enter("AD_1", [`${project}:eu`])).toEqual({ status: "entered" });
    expect(await enter("AD_2", [`${project}:us`, `${project}:eu`])).toEqual({ status: "entered" });
    expect(await enter("AD_3", [])).toEqual({ status: "entered" });
    const find = async (order: string, room: string) => {
      const reply = await ledger.findOrder({ project, order, room });
      return reply.namespaces.sort();
    };
    expect(await find("AD_1", "")).toEqual([`${project}:eu`]);
    expect(await find("", "room")).toEqual([`${project}:eu`, `${project}:us`]);
    expect(await find("AD_3", "")).toEqual([]);
  });

  test("an order by a list that is older than the newcomer is not made; by a later one, or by none, it is", async () => {
    const s = scene();
    const order = async (id: string, knownForMs: number) =>
      (await s.order(id, undefined, {}, "room", knownForMs)).status;
    expect(await order("AD_1", 5_000)).toBe("created");
    s.pass(1_000);
    await s.ledger.outdateAgents(s.at);
    s.pass(500);
    expect(await order("AD_2", 501)).toBe("outdated");
    expect(await order("AD_2", 500)).toBe("outdated");
    expect((await s.ledger.readRecord({ ...s.at, kind: "order", id: "AD_2" })).status).toBe("unknown");
    expect(await order("AD_2", 499)).toBe("created");
    expect(await order("AD_3", -1)).toBe("created");
    // It is there: a repeat is answered as ever.
    expect(await order("AD_1", 5_000)).toBe("exists");
  });
});
