/** Workers that answer offers late: slow is not sick. What they need is learnt, and a late yes is not wasted. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { ANSWER_MARGIN_MS, ANSWER_MS, LATE_MS, OFFER_MS, POOL, type Scene } from "./scene.js";

const TIMEOUT_MS = 3_000;

onEachRedis("slow answers", (scene) => {
  /** AJ_1 was offered to AW_1, which did not answer in its time. */
  async function late(s: Scene): Promise<void> {
    const epoch = await s.offered("AJ_1", "AW_1");
    s.pass(TIMEOUT_MS);
    expect(await s.reject("AJ_1", "AW_1", epoch, "slow")).toEqual({ status: "requeued", serve: "" });
  }

  async function one(): Promise<Scene> {
    const s = scene();
    await s.reporter("AW_1");
    s.pass(1);
    return s;
  }
  const session = (s: Scene, field: string) => s.field("session", "AW_1", field);

  test("the job goes on, the worker is blamed for nothing, and gets no offers while its answer may come", async () => {
    const s = await one();
    await late(s);
    expect(await s.field("job", "AJ_1", "state")).toBe("queued");
    expect(await s.strikes("AW_1", "silent")).toBe(0);
    expect(await session(s, "health")).toBeUndefined();
    expect(await s.loadInPool("AW_1")).toBeUndefined();
    expect(await s.timer("session|AW_1")).toBe(s.nowMs + LATE_MS);
    expect(await s.reject("AJ_1", "AW_1", 1, "slow")).toEqual({ status: "requeued", serve: "" });
    s.pass(LATE_MS);
    expect(await s.expireSession("AW_1")).toMatchObject({ status: "back" });
    expect(await s.loadInPool("AW_1")).toBeDefined();
  });

  test.each(["queued", "parked"] as const)("a late yes is taken while the job is %s, once", async (state) => {
    const s = await one();
    await late(s);
    if (state === "parked") expect(await s.admit("AJ_1")).toMatchObject({ status: "parked" });
    s.pass(2_000);
    const started = { status: "started", startedAt: s.nowMs, agentIdentity: "agent-AJ_1", serve: "" };
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toEqual(started);
    s.pass(1);
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toEqual(started);
    for (const [field, value] of Object.entries({
      state: "starting",
      session: "AW_1",
      epoch: "1",
      attempts: "1",
    }))
      expect([field, await s.field("job", "AJ_1", field)]).toEqual([field, value]);
    expect(await s.reject("AJ_1", "AW_1", 1, "slow")).toEqual({ status: "stale", state: "starting" });
    expect(await s.seen("AJ_1", "AW_1", 1)).toEqual({ status: "running" });
    expect(await session(s, "answer_ms")).toBe(`${ANSWER_MS}`);
    expect(await s.loadInPool("AW_1")).toBe(0.1);
  });

  test("a late yes is not taken once somebody else was asked, and still says that its worker is slow", async () => {
    const s = await one();
    await s.reporter("AW_2");
    await s.sample("AW_2", 0.6);
    await late(s);
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_2", epoch: "2" } });
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toEqual({
      status: "noted",
      state: "offered",
      serve: "",
    });
    expect(await s.accept("AJ_1", "AW_2", 2)).toMatchObject({ status: "started" });
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toEqual({
      status: "noted",
      state: "starting",
      serve: "",
    });
    expect(await s.field("job", "AJ_1", "session")).toBe("AW_2");
    expect(await session(s, "answer_ms")).toBe(`${ANSWER_MS}`);
    expect(await s.loadInPool("AW_1")).toBeDefined();
  });

  test("a late yes is not taken of a worker that has no room by now, that is gone, nor for an order on hold", async () => {
    const s = await one();
    await late(s);
    await s.hold("AD_1");
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toMatchObject({ status: "noted" });
    await s.release("AD_1");
    await s.sample("AW_1", 0.7);
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toMatchObject({ status: "noted" });
    await s.deregister("AW_1");
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toMatchObject({ status: "noted" });
    expect(await s.field("session", "AW_1", "answer_ms")).toBeUndefined();
  });

  test("a late yes is taken of one that says FULL: it keeps a place for this job; not past its cap, nor while it drains", async () => {
    const s = scene();
    await s.register("AW_1", { cap: 1 });
    await s.sample("AW_1", 0);
    await late(s);
    await s.sample("AW_1", 0, { status: "full", draining: true });
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toMatchObject({ status: "noted" });
    await s.simulate("AJ_2", "AW_1");
    await s.sample("AW_1", 0);
    await s.admit("AJ_2");
    await s.sample("AW_1", 0, { status: "full" });
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toMatchObject({ status: "noted" });
    await s.reject("AJ_2", "AW_1", 1);
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toMatchObject({ status: "started" });
  });

  test("its next offers, and those of whoever registers in its pool, stay open for longer", async () => {
    const s = await one();
    await late(s);
    await s.settleLate("AJ_1", "AW_1", 1, "no");
    await s.order("AD_2");
    expect(await s.admit("AJ_2")).toMatchObject({
      status: "offered",
      deadline: s.nowMs + ANSWER_MS + ANSWER_MARGIN_MS,
    });
    expect(await s.register("AW_2")).toEqual({ status: "registered", serve: "", answerMs: ANSWER_MS });
    expect(await s.register("AW_3", {}, "NO_g", "room/other/")).toMatchObject({ answerMs: 0 });
    expect(await s.ledger.learnAnswer({ ...s.at, session: "AW_1", answerMs: 4_000 })).toEqual({
      status: "learnt",
    });
    expect(await session(s, "answer_ms")).toBe("4000");
    expect(await s.register("AW_4")).toMatchObject({ answerMs: 4_000 });
    expect(await s.ledger.learnAnswer({ ...s.at, session: "AW_no", answerMs: 1 })).toEqual({
      status: "unknown",
    });
  });

  test("an offer is never given less than its gateway gives, whatever the dispatcher was set to", async () => {
    const s = scene();
    await s.register("AW_1", { answer_ms: 8_000 });
    await s.sample("AW_1", 0);
    await s.order("AD_1");
    expect(8_000).toBeGreaterThan(OFFER_MS);
    expect(await s.admit("AJ_1")).toMatchObject({ deadline: s.nowMs + 8_000 + ANSWER_MARGIN_MS });
  });

  test("where its pool is known to be slow, an offer that is open is given longer instead of taken back", async () => {
    const s = await one();
    await s.reporter("AW_2");
    s.pass(1);
    await late(s);
    const epoch = await s.offered("AJ_2", "AW_2");
    await s.settleLate("AJ_1", "AW_1", 1, "no");
    s.pass(TIMEOUT_MS);
    for (let time = 0; time < 2; time++)
      expect(await s.reject("AJ_2", "AW_2", epoch, "slow")).toEqual({
        status: "extended",
        answerMs: ANSWER_MS,
      });
    expect(await s.timer("job|AJ_2")).toBe(s.nowMs - TIMEOUT_MS + ANSWER_MS + ANSWER_MARGIN_MS);
    s.pass(ANSWER_MS - TIMEOUT_MS - 1);
    expect(await s.accept("AJ_2", "AW_2", epoch)).toMatchObject({ status: "started" });
  });

  test("no answer in the longest time is silence", async () => {
    const s = await one();
    await late(s);
    s.pass(LATE_MS);
    const offeredAt = s.nowMs - LATE_MS - TIMEOUT_MS;
    const reply = await s.settleLate("AJ_1", "AW_1", 1, "none", { offeredAt });
    expect(reply).toMatchObject({
      status: "noted",
      blame: { session: "AW_1", reason: "silent", last_of_pool: true },
    });
    expect(await s.settleLate("AJ_1", "AW_1", 1, "none", { offeredAt })).toEqual({
      status: "noted",
      state: "queued",
      serve: "",
    });
    expect(await session(s, "ejections")).toBeUndefined();
    expect(await session(s, "answer_ms")).toBeUndefined();
  });

  test("explain says slow while an answer may come, and silent once none did, of that offer alone", async () => {
    const s = await one();
    await s.reporter("AW_2");
    await s.sample("AW_2", 0.6);
    await late(s);
    const asked = (await s.explain("AJ_1")).attempts[0];
    expect(asked).toMatchObject({ outcome: "slow", session: "AW_1", epoch: 1 });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
    s.pass(TIMEOUT_MS);
    expect(await s.reject("AJ_1", "AW_2", 2, "slow")).toMatchObject({ status: "requeued" });
    const outcomes = async () => (await s.explain("AJ_1")).attempts.map(({ outcome }) => outcome);
    expect(await outcomes()).toEqual(["slow", "slow"]);
    for (let time = 0; time < 2; time++) {
      await s.settleLate("AJ_1", "AW_1", 1, "none");
      expect(await outcomes()).toEqual(["silent", "slow"]);
    }
    expect((await s.explain("AJ_1")).attempts[0]).toEqual({ ...asked, outcome: "silent" });
    await s.settleLate("AJ_1", "AW_2", 2, "no");
    expect(await outcomes()).toEqual(["silent", "slow"]);
    await s.deleteOrder("AD_1");
    await s.settleLate("AJ_1", "AW_2", 2, "none");
    expect(await outcomes()).toEqual(["silent", "silent"]);
  });

  test("of a job that is gone, or an attempt that is left out, no answer changes nothing that is kept", async () => {
    const s = await one();
    await late(s);
    await s.redis.del(`muster:{${s.namespace}}:attempts:AJ_1`);
    expect(await s.settleLate("AJ_1", "AW_1", 1, "none")).toMatchObject({ status: "noted" });
    expect(await s.redis.exists(`muster:{${s.namespace}}:attempts:AJ_1`)).toBe(0);
  });

  test("who answers makes room for who waits", async () => {
    const s = await one();
    await late(s);
    await s.admit("AJ_1");
    await s.order("AD_2");
    expect(await s.admit("AJ_2")).toMatchObject({ status: "parked" });
    expect(await s.settleLate("AJ_1", "AW_1", 1, "yes")).toMatchObject({ status: "started", serve: POOL });
  });
});
