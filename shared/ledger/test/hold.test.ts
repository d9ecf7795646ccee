/** Orders on hold: what is not offered, what goes on, what they hold up (nothing), and how they go on. */
import { jobEventOf } from "@muster/runtime/events/outbox-entry";
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { fallback, LOOK_MS, newJob, POOL, RETAIN_MS, SECOND_POOL, STEPS, WAIT_MS } from "./scene.js";

onEachRedis("hold", (scene) => {
  const jobs = (...ids: string[]) => ids.map((id) => newJob(id));
  const inLine = () => scene().redis.zrange(`muster:{${scene().namespace}}:parked:${POOL}`, "0", "-1");
  const stateOf = async (job: string) => [
    await scene().field("job", job, "state"),
    (await scene().field("job", job, "held")) === "1",
  ];

  test("what waits is held and offered to nobody; what was offered or started goes on", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cap: 2, cost: 0 });
    await s.order("AD_1", jobs("AJ_runs", "AJ_asked", "AJ_parked", "AJ_queued"));
    await s.admit("AJ_runs");
    await s.accept("AJ_runs", "AW_1", 1);
    await s.admit("AJ_asked");
    await s.admit("AJ_parked");
    for (let time = 0; time < 2; time++) expect(await s.hold("AD_1")).toEqual({ status: "held", next: "0" });
    expect(await stateOf("AJ_parked")).toEqual(["parked", true]);
    expect(await stateOf("AJ_queued")).toEqual(["parked", true]);
    expect(await inLine()).toEqual([]);
    expect(await s.accept("AJ_asked", "AW_1", 1)).toMatchObject({ status: "started" });
    expect(await s.report("AJ_runs", "AW_1", "success")).toEqual({ status: "ended", serve: "" });
    expect(await s.serve()).toEqual({ status: "empty" });
    for (const job of ["AJ_parked", "AJ_queued"])
      expect(await s.admit(job)).toEqual({ status: "idle", state: "parked" });
  });

  test("it holds up nobody behind it", async () => {
    const s = scene();
    await s.order("AD_1", undefined, { priority: 9 });
    await s.admit("AJ_1");
    await s.hold("AD_1");
    s.pass(1);
    await s.worker("AW_1", 0, { cap: 1 });
    await s.order("AD_2");
    expect(await s.admit("AJ_2")).toMatchObject({ status: "offered", job: { session: "AW_1" } });
  });

  test("an offer that comes to nothing meanwhile, and a start that failed, are held when they are tried", async () => {
    const s = scene();
    await s.worker("AW_1", 0, { cost: 0 });
    await s.offered("AJ_1", "AW_1");
    await s.running("AJ_2", "AW_1");
    await s.hold("AD_1");
    await s.hold("AD_2");
    await s.reject("AJ_1", "AW_1", 1);
    expect(await s.admit("AJ_1")).toEqual({ status: "held" });
    await s.report("AJ_2", "AW_1", "failed");
    expect(await s.admit("AJ_2")).toEqual({ status: "idle", state: "queued" });
    s.pass(1_000);
    expect(await s.expireJob("AJ_2")).toEqual({ status: "idle" });
    expect(await stateOf("AJ_2")).toEqual(["parked", true]);
    expect(await s.expireJob("AJ_2")).toEqual({ status: "idle" });
  });

  test("no clock of it runs: released, it may wait as long as at first, and so may its fallback", async () => {
    const s = scene();
    await s.order("AD_1", undefined, { ...fallback(1), held: 1 });
    s.pass(2 * WAIT_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + LOOK_MS);
    expect(await s.release("AD_1")).toEqual({ status: "released", more: 0, serve: [] });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + STEPS[1].after_ms);
    s.pass(STEPS[1].after_ms);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "fell_back" });
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked", pool: SECOND_POOL });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs - STEPS[1].after_ms + WAIT_MS);
  });

  test("released, its jobs stand where their priority and age put them, and only pools with room are named", async () => {
    const s = scene();
    await s.order("AD_1", jobs("AJ_1", "AJ_2"), { held: 1 });
    s.pass(1);
    await s.order("AD_3");
    await s.admit("AJ_3");
    expect(await s.release("AD_1")).toEqual({ status: "released", more: 0, serve: [] });
    expect(await s.release("AD_1")).toEqual({ status: "released", more: 0, serve: [] });
    expect(await inLine()).toEqual(["AJ_1", "AJ_2", "AJ_3"]);
    await s.hold("AD_1");
    await s.worker("AW_1", 0, { cap: 1 });
    expect(await s.release("AD_1")).toEqual({ status: "released", more: 0, serve: [POOL] });
    expect(await s.serve()).toMatchObject({ status: "offered", job: { id: "AJ_1" } });
    expect(await s.serve()).toEqual({ status: "no_room" });
  });

  test("one that was in its back-off goes on with it", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.report("AJ_1", "AW_1", "failed");
    const backAt = s.nowMs + 1_000;
    await s.hold("AD_1");
    expect(await stateOf("AJ_1")).toEqual(["parked", true]);
    s.pass(1);
    expect(await s.release("AD_1")).toMatchObject({ status: "released", serve: [] });
    expect(await stateOf("AJ_1")).toEqual(["queued", false]);
    expect(await s.timer("job|AJ_1")).toBe(backAt);
  });

  test("jobs that come are made and held; none wants an entry in the queue", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.hold("AD_1");
    expect(await s.extend("AD_1", [newJob("AJ_ann")])).toEqual({ status: "extended", queued: [], made: 1 });
    expect(await stateOf("AJ_ann")).toEqual(["parked", true]);
    await s.release("AD_1");
    expect(await s.extend("AD_1", [newJob("AJ_ben")])).toMatchObject({ queued: ["AJ_ben"] });
  });

  test("it ends with its room, by deletion and by termination as ever", async () => {
    const s = scene();
    await s.openOrder("AD_1");
    await s.extend("AD_1", jobs("AJ_1", "AJ_2"));
    await s.hold("AD_1");
    expect(await s.terminate("AJ_1")).toMatchObject({ status: "terminated" });
    s.pass(WAIT_MS);
    expect(await s.endRoom("AD_1")).toMatchObject({ status: "ended", outcomes: ["canceled"] });
    await s.order("AD_3", undefined, { held: 1 });
    expect(await s.deleteOrder("AD_3")).toMatchObject({ status: "deleted", more: 0 });
    for (const call of [() => s.hold("AD_3"), () => s.release("AD_3")])
      expect(await call()).toEqual({ status: "closed", state: "deleted" });
    expect(await s.hold("AD_0")).toEqual({ status: "unknown" });
    expect(await s.release("AD_0")).toEqual({ status: "unknown" });
  });

  test("a life that nobody served leaves it to the room's next one for as long as it may wait since its release", async () => {
    const s = scene();
    await s.order("AD_1", undefined, { held: 1 });
    s.pass(WAIT_MS);
    await s.release("AD_1");
    await s.extend("AD_1");
    s.pass(WAIT_MS - 1);
    expect(await s.endRoom("AD_1")).toEqual({ status: "kept", serve: [] });
  });

  test("one with many jobs is held in parts, and those that end or come meanwhile hide none of the others", async () => {
    const s = scene();
    const ids = Array.from({ length: 400 }, (_, index) => `AJ_${index}`);
    await s.order("AD_1", jobs(...ids), { open: 1, wait_ms: WAIT_MS });
    const first = await s.hold("AD_1", "0", 50);
    await s.worker("AW_1");
    expect(await s.serve()).toEqual({ status: "empty" });
    for (const id of ids.slice(0, 200)) await s.terminate(id);
    await s.extend("AD_1", jobs("AJ_late"));
    for (let reply = first; reply.status === "held" && reply.next !== "0"; )
      reply = await s.hold("AD_1", reply.next, 50);
    for (const id of ids.slice(200)) expect([id, ...(await stateOf(id))]).toEqual([id, "parked", true]);
  });

  test("one with many jobs is released in parts, and what was not reached comes after", async () => {
    const s = scene();
    await s.order("AD_1", jobs("AJ_1", "AJ_2", "AJ_3"));
    await s.hold("AD_1");
    await s.worker("AW_1");
    expect(await s.serve()).toEqual({ status: "empty" });
    expect(await s.release("AD_1", 2)).toMatchObject({ more: 1 });
    // Whoever released it died here.
    s.pass(LOOK_MS);
    expect(await s.expireJob("AJ_3")).toEqual({ status: "requeued", serve: "" });
    expect(await s.admit("AJ_3")).toMatchObject({ status: "offered" });
    expect(await s.release("AD_1", 2)).toEqual({ status: "released", more: 0, serve: [] });
  });

  test("a deletion that stopped half-way reaches it with its own timer", async () => {
    const s = scene();
    await s.order("AD_1", jobs("AJ_1", "AJ_2"), { held: 1 });
    expect(await s.deleteOrder("AD_1", 1)).toMatchObject({ more: 1 });
    s.pass(LOOK_MS);
    expect(await s.expireJob("AJ_2")).toEqual({ status: "ended", outcome: "canceled", serve: "" });
  });

  test("a namespace where all that waits is on hold rests; its release wakes it", async () => {
    const s = scene();
    await s.order("AD_1", jobs("AJ_1"), { held: 1 });
    const looksAt = s.nowMs + LOOK_MS;
    expect(await s.rest()).toEqual({ status: "resting", next: looksAt });
    const args = { ...s.at, order: "AD_1", limit: 10, listenMs: 0 };
    expect(await s.ledger.releaseOrder({ ...args, rests: -1 })).toEqual({ status: "unindexed", rests: 1 });
    expect(await stateOf("AJ_1")).toEqual(["parked", true]);
    expect(await s.ledger.releaseOrder({ ...args, rests: 1 })).toMatchObject({ status: "released" });
    expect(await s.rest()).toMatchObject({ status: "busy" });
    await s.order("AD_2");
    await s.hold("AD_1");
    expect(await s.rest()).toMatchObject({ status: "busy" });
  });

  test("one that ends at rest is told of and forgotten in time, when the namespace is woken first", async () => {
    const s = scene();
    s.listenMs = 600_000;
    await s.order("AD_1", jobs("AJ_1"), { held: 1 });
    const outbox = `muster:{${s.namespace}}:events`;
    await s.redis.xtrim(outbox, "MAXLEN", 0);
    expect(await s.rest()).toMatchObject({ status: "resting" });
    const wake = (rests: number) => s.ledger.wakeNamespace({ ...s.at, listenMs: s.listenMs, rests });
    expect(await wake(-1)).toEqual({ status: "unindexed", rests: 1 });
    expect(await wake(1)).toEqual({ status: "awake" });
    await s.deleteOrder("AD_1");
    const [entry] = await s.redis.xrange(outbox, "-", "+");
    expect(jobEventOf(s.namespace, ...(entry as [string, string[]]))).toMatchObject({
      event: "agent_job_ended",
    });
    await s.redis.xtrim(outbox, "MAXLEN", 0);
    expect(await s.rest()).toEqual({ status: "resting", next: s.nowMs + RETAIN_MS });
  });

  test("a worker that is back has its job again, on hold or not", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.deregister("AW_1");
    await s.settle("AJ_1", 1, "absent");
    await s.hold("AD_1");
    await s.register("AW_2");
    expect(await s.migrate("AW_2", "AJ_1")).toMatchObject({ moved: [{ job: "AJ_1" }] });
    expect(await stateOf("AJ_1")).toEqual(["running", false]);
  });

  test("is told once, as parked and held; released, where it stands", async () => {
    const s = scene();
    s.listenMs = 600_000;
    await s.order("AD_1", undefined, { held: 1 });
    await s.hold("AD_1");
    await s.release("AD_1");
    const entries = await s.redis.xrange(`muster:{${s.namespace}}:events`, "-", "+");
    const events = entries.map(([id, fields]) => jobEventOf(s.namespace, id, fields));
    expect(events).toMatchObject([
      { event: "agent_job_queued", held: false },
      { event: "agent_job_parked", held: true, state: "parked", wire: "AJ_1" },
      { event: "agent_job_parked", held: false, position: 0 },
    ]);
  });
});
