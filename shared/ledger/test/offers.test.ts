import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import {
  COOL_MS,
  GUARD_MS,
  LEASE_MS,
  newJob,
  OFFER_MS,
  POOL,
  RETRY_MS,
  SCAN,
  START_MS,
  WAIT_MS,
} from "./scene.js";

onEachRedis("offers", (scene) => {
  test("a job is offered to the session with room, with all that the request needs", async () => {
    const s = scene();
    await s.worker("AW_1", 0.2);
    await s.order("AD_1", [newJob("AJ_1")], { metadata: "m", priority: 7 });
    const reply = await s.admit("AJ_1");
    expect(reply).toMatchObject({
      status: "offered",
      deadline: s.nowMs + OFFER_MS,
      job: {
        id: "AJ_1",
        state: "offered",
        epoch: "1",
        wire: "AJ_1",
        session: "AW_1",
        gateway: "NO_g",
        order: "AD_1",
      },
      order: { id: "AD_1", metadata: "m", priority: "7", state: "live" },
    });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + OFFER_MS);
    expect(await s.loadInPool("AW_1")).toBe(0.3);
  });

  test("an offered job is not offered again", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    expect(await s.admit("AJ_1")).toEqual({ status: "idle", state: "offered" });
    expect(await s.admit("AJ_none")).toEqual({ status: "idle", state: "unknown" });
  });

  test("ten racers to admit one job make one offer", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2");
    await s.order("AD_1");
    const replies = await Promise.all(Array.from({ length: 10 }, () => s.admit("AJ_1")));
    expect(replies.filter(({ status }) => status === "offered")).toHaveLength(1);
    expect(replies.filter(({ status }) => status === "idle")).toHaveLength(9);
  });

  test("without room a job is parked until its waiting time ends", async () => {
    const s = scene();
    await s.order("AD_1");
    expect(await s.admit("AJ_1")).toEqual({ status: "parked", pool: POOL, behind: 0 });
    expect(await s.admit("AJ_1")).toEqual({ status: "parked", pool: POOL, behind: 0 });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + WAIT_MS);
  });

  test.each([
    [-1, { status: "parked" }],
    [0, { status: "ended", outcome: "expired" }],
    [1, { status: "ended", outcome: "expired" }],
  ])("admitted %i ms from the end of its waiting time", async (offset, expected) => {
    const s = scene();
    await s.order("AD_1");
    s.pass(WAIT_MS + offset);
    expect(await s.admit("AJ_1")).toMatchObject(expected);
    if (expected.status === "ended") expect(await s.field("order", "AD_1", "state")).toBe("ended");
  });

  test("accept commits once and answers the same when repeated", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    s.pass(40);
    const started = { status: "started", startedAt: s.nowMs, agentIdentity: "agent-AJ_1" };
    expect(await s.accept("AJ_1", "AW_1", epoch)).toEqual(started);
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + START_MS);
    s.pass(40);
    expect(await s.accept("AJ_1", "AW_1", epoch)).toEqual(started);
    await s.seen("AJ_1", "AW_1", epoch);
    expect(await s.accept("AJ_1", "AW_1", epoch)).toEqual(started);
    expect(await s.field("job", "AJ_1", "attempts")).toBe("1");
  });

  test("accept is stale for another epoch, another session, a dead session, an unknown job", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    expect(await s.accept("AJ_1", "AW_1", epoch + 1)).toEqual({ status: "stale", state: "offered" });
    expect(await s.accept("AJ_1", "AW_2", epoch)).toEqual({ status: "stale", state: "offered" });
    expect(await s.accept("AJ_none", "AW_1", epoch)).toEqual({ status: "stale", state: "unknown" });
    await s.deregister("AW_1");
    expect(await s.accept("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "queued" });
  });

  test("only the session that was asked can accept, and only while the ledger has it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0.5);
    const epoch = await s.offered("AJ_1", "AW_1");
    expect(await s.accept("AJ_1", "AW_2", epoch)).toEqual({ status: "stale", state: "offered" });
    // As a Redis comes back that was set back a little: it knows the offer, and the session no more.
    const tag = `muster:{${s.namespace}}:`;
    await s.redis.del(`${tag}session:AW_1`);
    await s.redis.zrem(`${tag}sessions`, "AW_1");
    await s.redis.zrem(`${tag}pool:${POOL}`, "AW_1");
    await s.redis.zrem(`${tag}pool-sessions:${POOL}`, "AW_1");
    await s.redis.srem(`${tag}gateway-sessions:NO_g`, "AW_1");
    expect(await s.accept("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "offered" });
    expect(await s.field("session", "AW_1", "id")).toBeUndefined();
    s.pass(OFFER_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "requeued", serve: "" });
  });

  test("of accept, reject, expiry and deletion at once, one wins", async () => {
    const s = scene();
    for (let round = 0; round < 20; round++) {
      const [session, job, order] = [`AW_${round}`, `AJ_${round}`, `AD_${round}`];
      await s.worker(session, 0, { cap: 1 });
      const epoch = await s.offered(job, session);
      const calls = [
        () => s.accept(job, session, epoch).then(({ status }) => status === "started" && "accept"),
        () => s.reject(job, session, epoch).then(({ status }) => status === "requeued" && "reject"),
        () =>
          s.deregister(session).then((r) => r.status === "deregistered" && r.requeued.length > 0 && "lost"),
        () => s.deleteOrder(order).then((r) => r.status === "deleted" && "delete"),
      ];
      const rotated = [...calls.slice(round % 4), ...calls.slice(0, round % 4)];
      const winners = (await Promise.all(rotated.map((call) => call()))).filter(
        (won) => won && won !== "delete",
      );
      expect(winners.length).toBeLessThanOrEqual(1);
      expect(await s.field("job", job, "state")).toBe("ended");
    }
  });

  test("a refusal sends the job to the next session, under a new epoch and wire id", async () => {
    const s = scene();
    await s.worker("AW_1", 0);
    await s.worker("AW_2", 0.5);
    const epoch = await s.offered("AJ_1", "AW_1");
    const requeued = { status: "requeued", serve: "" };
    expect(await s.reject("AJ_1", "AW_1", epoch)).toEqual(requeued);
    expect(await s.reject("AJ_1", "AW_1", epoch)).toEqual(requeued);
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + GUARD_MS);
    expect(await s.admit("AJ_1")).toMatchObject({
      status: "offered",
      job: { session: "AW_2", epoch: "2", wire: "AJ_1.2" },
    });
    expect(await s.reject("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "offered" });
    expect(await s.accept("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "offered" });
  });

  test("reject is stale for another epoch, another session, an accepted offer, an unknown job", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    expect(await s.reject("AJ_1", "AW_1", epoch + 1)).toEqual({ status: "stale", state: "offered" });
    expect(await s.reject("AJ_1", "AW_2", epoch)).toEqual({ status: "stale", state: "offered" });
    expect(await s.reject("AJ_none", "AW_1", epoch)).toEqual({ status: "stale", state: "unknown" });
    await s.accept("AJ_1", "AW_1", epoch);
    expect(await s.reject("AJ_1", "AW_1", epoch)).toEqual({ status: "stale", state: "starting" });
  });

  test("a refusal with terminate ends the job as success, also when repeated", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    expect(await s.reject("AJ_1", "AW_1", epoch, "rejected", true)).toEqual({ status: "ended", serve: "" });
    expect(await s.reject("AJ_1", "AW_1", epoch, "rejected", true)).toEqual({ status: "ended", serve: "" });
    expect(await s.field("job", "AJ_1", "outcome")).toBe("success");
  });

  test("an undelivered offer goes past the session that could not be asked, and cools nobody", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0.5);
    const epoch = await s.offered("AJ_1", "AW_1");
    expect(await s.reject("AJ_1", "AW_1", epoch, "undelivered")).toEqual({ status: "requeued", serve: "" });
    expect(await s.timer("session|AW_1")).toBeUndefined();
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test("silence cools a worker down, longer each time, and an accepted offer forgives it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0.6);
    for (const coolMs of [COOL_MS, 2 * COOL_MS, 4 * COOL_MS]) {
      const reply = await s.simulate(`AJ_${coolMs}`, "AW_1");
      expect(reply.status).toBe("created");
      expect(await s.admit(`AJ_${coolMs}`)).toMatchObject({ status: "offered" });
      await s.reject(`AJ_${coolMs}`, "AW_1", 1, "silent");
      expect(await s.timer("session|AW_1")).toBe(s.nowMs + coolMs);
      expect(await s.loadInPool("AW_1")).toBeUndefined();
      s.pass(coolMs - 1);
      expect(await s.expireSession("AW_1")).toEqual({ status: "idle" });
      s.pass(1);
      expect(await s.expireSession("AW_1")).toEqual({ status: "back", serve: "" });
      expect(await s.expireSession("AW_1")).toEqual({ status: "idle" });
      expect(await s.loadInPool("AW_1")).toBe(0);
    }
    const epoch = await s.offered("AJ_1", "AW_1");
    await s.accept("AJ_1", "AW_1", epoch);
    expect(await s.expireSession("AW_1")).toEqual({ status: "back", serve: "" });
    expect(await s.field("session", "AW_1", "health")).toBeUndefined();
  });

  test("when all refused, they are asked again after a back-off that doubles, no sooner for being asked", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1");
    for (const [round, backOffMs] of [RETRY_MS, 2 * RETRY_MS, 4 * RETRY_MS].entries()) {
      expect(await s.admit("AJ_1")).toMatchObject({ status: "offered" });
      await s.reject("AJ_1", "AW_1", round + 1);
      const begunAt = s.nowMs;
      expect(await s.admit("AJ_1")).toMatchObject({ status: "parked", behind: 0 });
      expect(await s.timer("job|AJ_1")).toBe(begunAt + backOffMs);
      s.pass(backOffMs - 1);
      expect(await s.admit("AJ_1")).toMatchObject({ status: "parked" });
      expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
      s.pass(1);
      expect(await s.expireJob("AJ_1")).toEqual({ status: "requeued", serve: "" });
    }
  });

  test("a refusal by a worker that is full now is asked again too", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    await s.sample("AW_1", 1, { status: "full" });
    await s.reject("AJ_1", "AW_1", epoch);
    await s.admit("AJ_1");
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + RETRY_MS);
  });

  test("after 256 refusals a job backs off before it asks more", async () => {
    const s = scene();
    await s.order("AD_1");
    const refused = Array.from({ length: 256 }, (_, index) => `AW_r${index}`);
    await s.redis.hset(`muster:{${s.namespace}}:job:AJ_1`, "excluded", refused.join(","));
    await s.worker("AW_1");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked" });
    s.pass(RETRY_MS);
    await s.expireJob("AJ_1");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered" });
  });

  test.each([
    [-1, "idle"],
    [0, "requeued"],
    [1, "requeued"],
  ])("an offer looked at %i ms from its deadline", async (offset, expected) => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 1 });
    await s.offered("AJ_1", "AW_1");
    await s.order("AD_2");
    await s.admit("AJ_2");
    s.pass(OFFER_MS + offset);
    const reply = await s.expireJob("AJ_1");
    expect(reply).toEqual(expected === "idle" ? { status: "idle" } : { status: "requeued", serve: POOL });
    expect(await s.field("job", "AJ_1", "excluded")).toBeUndefined();
  });

  test("a queued job that nobody tried is found by its guard, and keeps who refused it", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    await s.reject("AJ_1", "AW_1", epoch);
    s.pass(GUARD_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "requeued", serve: "" });
    expect(await s.field("job", "AJ_1", "excluded")).toBe("AW_1");
    s.pass(WAIT_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "ended", outcome: "expired", serve: "" });
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
    expect(await s.expireJob("AJ_none")).toEqual({ status: "idle" });
  });

  test("a simulated job goes to the session that asked, and to no other", async () => {
    const s = scene();
    await s.worker("AW_1", 0.6);
    await s.worker("AW_2", 0);
    expect(await s.simulate("AJ_1", "AW_none")).toEqual({ status: "unknown_session" });
    expect(await s.simulate("AJ_1", "AW_1")).toEqual({ status: "created" });
    expect(await s.simulate("AJ_1", "AW_1")).toEqual({ status: "exists" });
    expect(await s.admit("AJ_1")).toMatchObject({
      status: "offered",
      order: {},
      job: { session: "AW_1", only: "AW_1" },
    });
    expect(await s.simulate("AJ_2", "AW_1")).toEqual({ status: "created" });
    expect(await s.admit("AJ_2")).toMatchObject({ status: "parked" });
    const considered = [{ session: "AW_1", load: 0.7, verdict: "load" }];
    expect(await s.explain("AJ_2")).toMatchObject({ attempts: [{ considered }] });
    expect(await s.serve()).toEqual({ status: "no_room" });
  });

  test("the claim looks at as many sessions as it may, beyond those excluded", async () => {
    const s = scene();
    for (let index = 0; index < SCAN; index++) await s.worker(`AW_dead${index}`, 0.1, {}, "NO_dead");
    s.pass(1_000);
    await s.worker("AW_1", 0.5);
    s.pass(LEASE_MS - 500);
    await s.order("AD_1");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked", behind: 0 });
    const lost = await s.expireGateway("NO_dead");
    expect(lost).toMatchObject({ status: "lost", sessions: SCAN, serve: [POOL] });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { session: "AW_1" } });
  });
});
