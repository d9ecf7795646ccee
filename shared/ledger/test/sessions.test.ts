import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { GRACE_MS, GUARD_MS, LEASE_MS, POOL, RETRY_MS, START_MS } from "./scene.js";

const NOTHING_LEFT = { requeued: [], orphaned: [], ended: [], serve: [], guard: 0 };

onEachRedis("sessions and gateways", (scene) => {
  test("registering is repeated without effect, and takes the gateway's lease", async () => {
    const s = scene();
    expect(await s.register("AW_1")).toEqual({ status: "registered", serve: "", answerMs: 0 });
    await s.sample("AW_1", 0.4);
    s.pass(100);
    expect(await s.register("AW_1", { cap: 9 })).toEqual({ status: "registered", serve: "", answerMs: 0 });
    expect(Number(await s.field("session", "AW_1", "load"))).toBe(0.4);
    expect(await s.timer("gateway|NO_g")).toBe(s.nowMs + LEASE_MS);
  });

  test("a session that goes gives back its offers and leaves its jobs as orphans", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.offered("AJ_1", "AW_1");
    await s.starting("AJ_2", "AW_1");
    await s.running("AJ_3", "AW_1");
    const reply = await s.deregister("AW_1");
    expect(reply).toMatchObject({ status: "deregistered", requeued: ["AJ_1"] });
    expect(reply.status === "deregistered" && [...reply.orphaned].sort()).toEqual(["AJ_2", "AJ_3"]);
    expect(await s.deregister("AW_1")).toEqual({ status: "unknown" });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + GUARD_MS);
    expect(await s.timer("job|AJ_2")).toBe(s.nowMs + GRACE_MS);
    expect(await s.field("job", "AJ_1", "excluded")).toBeUndefined();
    expect(await s.terminate("AJ_2")).toEqual({ status: "terminated", stop: null, serve: "" });
  });

  test("a session that goes while it is to stop a job leaves nothing behind", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.terminate("AJ_1");
    expect(await s.deregister("AW_1")).toEqual({ status: "deregistered", ...NOTHING_LEFT });
    s.pass(30_000);
    expect(await s.expireStop("AW_1|AJ_1")).toEqual({ status: "released", serve: "" });
    const left = await s.redis.exists(`muster:{${s.namespace}}:session-jobs:AW_1`);
    expect(left).toBe(0);
  });

  test("a session that goes with a job offered again, which it is still to stop, keeps the two apart", async () => {
    const s = scene();
    await s.reporter("AW_1");
    await s.starting("AJ_1", "AW_1");
    s.pass(START_MS);
    await s.expireJob("AJ_1");
    await s.admit("AJ_1");
    s.pass(RETRY_MS);
    await s.expireJob("AJ_1");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_1", epoch: "2" } });
    expect(await s.deregister("AW_1")).toEqual({
      status: "deregistered",
      ...NOTHING_LEFT,
      requeued: ["AJ_1"],
    });
  });

  test("what the gateway holds and the ledger agrees with, stands", async () => {
    const s = scene();
    await s.worker("AW_1");
    const epoch = await s.running("AJ_1", "AW_1");
    s.pass(100);
    const held = [{ job: "AJ_1", session: "AW_1", epoch, wire: "AJ_1" }];
    expect(await s.assert(held)).toEqual({ status: "renewed", stops: [], unknown: [], over: [] });
    expect(await s.assert(held)).toEqual({ status: "renewed", stops: [], unknown: [], over: [] });
    expect(await s.timer("gateway|NO_g")).toBe(s.nowMs + LEASE_MS);
  });

  test("what is older, held elsewhere or over is to be stopped; what nobody knows is named", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0.5);
    const first = await s.offered("AJ_old", "AW_1");
    await s.reject("AJ_old", "AW_1", first);
    await s.admit("AJ_old");
    await s.running("AJ_else", "AW_1");
    await s.running("AJ_over", "AW_1");
    await s.endJob("AJ_over");
    const held = [
      { job: "AJ_old", session: "AW_1", epoch: first, wire: "AJ_old" },
      { job: "AJ_else", session: "AW_2", epoch: 1, wire: "AJ_else" },
      { job: "AJ_over", session: "AW_1", epoch: 1, wire: "AJ_over" },
      { job: "AJ_none", session: "AW_1", epoch: 1, wire: "AJ_none" },
    ];
    const stops = held.slice(0, 3).map(({ job, session, wire }) => ({ job, session, wire, gateway: "NO_g" }));
    expect(await s.assert(held)).toEqual({ status: "renewed", stops, unknown: ["AJ_none"], over: [] });
    expect(await s.field("job", "AJ_else", "session")).toBe("AW_1");
  });

  test("a stop that is both held and to be stopped is told once a call, to its own gateway only", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0, {}, "NO_h");
    await s.running("AJ_1", "AW_1");
    await s.terminate("AJ_1");
    const reply = await s.assert([{ job: "AJ_1", session: "AW_1", epoch: 1, wire: "AJ_1" }]);
    expect(reply.status === "renewed" && reply.stops).toHaveLength(1);
    expect(await s.assert([], "NO_h")).toEqual({ status: "renewed", stops: [], unknown: [], over: [] });
  });

  test.each([
    [-1, "renewed", "idle"],
    [0, "lapsed", "lost"],
    [1, "lapsed", "lost"],
  ])("a lease asserted and looked at %i ms from its end", async (offset, asserted, expired) => {
    const s = scene();
    await s.worker("AW_1");
    s.pass(LEASE_MS + offset);
    expect((await s.expireGateway()).status).toBe(expired);
    expect((await s.assert()).status).toBe(asserted);
    expect((await s.assert([], "NO_none")).status).toBe("lapsed");
  });

  test.each([
    [-1, "renewed"],
    [0, "lapsed"],
    [1, "lapsed"],
  ])("a lease asserted %i ms from its end, before anybody looked at it", async (offset, asserted) => {
    const s = scene();
    await s.worker("AW_1");
    s.pass(LEASE_MS + offset);
    expect((await s.assert()).status).toBe(asserted);
    await s.register("AW_1");
    expect((await s.assert()).status).toBe("renewed");
  });

  test("a gateway that lapsed comes back with its sessions; their jobs run on in their places", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 2 });
    const epoch = await s.running("AJ_1", "AW_1");
    await s.starting("AJ_2", "AW_1");
    s.pass(LEASE_MS);
    const lost = await s.expireGateway();
    expect(lost).toMatchObject({ status: "lost", sessions: 1, requeued: [], more: 0, serve: [] });
    expect(await s.assert()).toEqual({ status: "lapsed" });
    await s.order("AD_3");
    await s.admit("AJ_3");
    expect(await s.register("AW_1", { cap: 2 })).toEqual({ status: "registered", serve: "", answerMs: 0 });
    expect(await s.serve()).toEqual({ status: "no_room" });
    const held = ["AJ_1", "AJ_2"].map((job) => ({ job, session: "AW_1", epoch, wire: job }));
    expect(await s.assert(held)).toEqual({ status: "renewed", stops: [], unknown: [], over: [] });
    for (const job of ["AJ_1", "AJ_2"]) expect(await s.field("job", job, "state")).toBe("running");
    expect(await s.sample("AW_1", 0.2)).toEqual({
      status: "sampled",
      unknown: [],
      serve: [],
      miscounted: [],
      misfits: [],
    });
    expect(await s.report("AJ_1", "AW_1", "success")).toEqual({ status: "ended", serve: POOL });
  });

  test("an orphan also runs again when its holder says so itself", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    s.pass(LEASE_MS);
    await s.expireGateway();
    await s.register("AW_1");
    expect(await s.report("AJ_1", "AW_1", "running")).toEqual({ status: "running" });
  });

  test("a gateway with many sessions is lost some a call", async () => {
    const s = scene();
    for (let index = 0; index < 5; index++) await s.worker(`AW_${index}`);
    await s.offered("AJ_1", "AW_0");
    s.pass(LEASE_MS);
    const seen: string[] = [];
    for (const [sessions, more] of [
      [2, 1],
      [2, 1],
      [1, 0],
    ]) {
      const reply = await s.expireGateway("NO_g", 2);
      expect(reply).toMatchObject({ status: "lost", sessions, more, orphaned: [] });
      if (reply.status === "lost") seen.push(...reply.requeued);
    }
    expect(seen).toEqual(["AJ_1"]);
    expect(await s.expireGateway()).toMatchObject({ status: "lost", sessions: 0, more: 0 });
  });

  test("a job that Redis forgot was begun is taken from the gateway that holds it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.worker("AW_2", 0.5);
    await s.order("AD_1");
    await s.admit("AJ_1");
    const job = `muster:{${s.namespace}}:job:AJ_1`;
    // As Redis comes back: the offer known, the acceptance not; and a later offer not known at all.
    expect(await s.assert([{ job: "AJ_1", session: "AW_1", epoch: 1, wire: "AJ_1" }])).toMatchObject({
      stops: [],
    });
    expect(await s.redis.hget(job, "state")).toBe("running");
    expect(await s.accept("AJ_1", "AW_1", 1)).toMatchObject({
      status: "started",
      agentIdentity: "agent-AJ_1",
    });
    expect(await s.accept("AJ_1", "AW_1", 1)).toMatchObject({
      status: "started",
      agentIdentity: "agent-AJ_1",
    });
    expect(await s.assert([{ job: "AJ_1", session: "AW_2", epoch: 3, wire: "AJ_1.3" }])).toMatchObject({
      stops: [],
    });
    expect(await s.redis.hmget(job, "session", "epoch", "wire")).toEqual(["AW_2", "3", "AJ_1.3"]);
    expect(await s.loadInPool("AW_1")).toBe(0);
    expect(await s.report("AJ_1", "AW_2", "success", "AJ_1.3")).toEqual({ status: "ended", serve: "" });
  });

  test("more stops than one call may hold are told with the next", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cost: 0 });
    for (let index = 0; index < 300; index++) {
      await s.running(`AJ_${index}`, "AW_1");
      await s.terminate(`AJ_${index}`);
    }
    const told = new Set<string>();
    for (let call = 0; call < 30; call++) {
      const reply = await s.assert();
      if (reply.status !== "renewed") throw new Error("lapsed");
      expect(reply.stops).toHaveLength(256);
      for (const stop of reply.stops) told.add(stop.wire);
    }
    expect(told.size).toBe(300);
  });
});
