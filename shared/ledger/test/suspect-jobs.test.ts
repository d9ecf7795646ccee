/** A job that comes to nothing with whoever is asked: it is at fault, not they; and who is held to be at fault when. */
import { expect, test } from "vitest";
import type { Blame } from "../src/shapes.js";
import { onEachRedis } from "./on-each-redis.js";
import { COOL_MS, EARLY_MS, POOL, RETRY_MS, type Scene } from "./scene.js";
import { forgetNamespace } from "./snapshot.js";

onEachRedis("jobs that no worker can do", (scene) => {
  const WORKERS = ["AW_1", "AW_2", "AW_3"] as const;
  async function three(): Promise<Scene> {
    const s = scene();
    s.roomFor = (order) => `room-${order}`;
    for (const id of WORKERS) await s.reporter(id);
    s.pass(1);
    return s;
  }
  const blameOf = (reply: object) => ("blame" in reply ? (reply.blame as Blame | null) : null);
  const health = (s: Scene, id: string) => s.field("session", id, "health");
  const suspectAt = (s: Scene, job: string) => s.field("job", job, "suspect_at");

  async function asked(s: Scene, job: string): Promise<{ session: string; epoch: number }> {
    const reply = await s.admit(job);
    if (reply.status !== "offered") throw new Error(`${job} is not offered: ${reply.status}`);
    return { session: reply.job.session ?? "", epoch: Number(reply.job.epoch) };
  }
  /** One more worker declines it. */
  async function declined(s: Scene, job: string, reason: "rejected" | "silent" = "rejected") {
    const { session, epoch } = await asked(s, job);
    return { session, blame: blameOf(await s.reject(job, session, epoch, reason)) };
  }
  /** All three decline it, and it backs off. */
  async function declinedByAll(s: Scene, id: number): Promise<void> {
    await s.order(`AD_${id}`);
    for (const _ of WORKERS) await declined(s, `AJ_${id}`);
    expect(await s.admit(`AJ_${id}`)).toMatchObject({ status: "parked" });
  }

  test("declined by everybody, any number of them ejects nobody", async () => {
    const s = await three();
    for (let id = 0; id < 20; id++) await declinedByAll(s, id);
    for (const id of WORKERS) {
      expect(await health(s, id)).toBeUndefined();
      expect(await s.loadInPool(id)).toBe(0);
    }
  });

  test("the second worker that cannot do it makes it suspect, and that is told once, with agent and room, when nobody is left", async () => {
    const s = await three();
    await s.order("AD_1");
    expect(await declined(s, "AJ_1")).toMatchObject({ blame: null });
    expect(await suspectAt(s, "AJ_1")).toBeUndefined();
    expect(await declined(s, "AJ_1")).toMatchObject({ blame: null });
    expect(await suspectAt(s, "AJ_1")).toBe(`${s.nowMs}`);
    s.pass(1);
    expect(await declined(s, "AJ_1")).toMatchObject({ blame: null });
    expect(await suspectAt(s, "AJ_1")).toBe(`${s.nowMs - 1}`);
    const blame = { suspect: "AJ_1", room: "room-AD_1", agent: "agent", reason: "rejects" };
    expect(await s.admit("AJ_1")).toMatchObject({ status: "parked", blame });
    s.pass(RETRY_MS);
    await s.expireJob("AJ_1");
    for (const _ of WORKERS) await declined(s, "AJ_1");
    expect(await s.admit("AJ_1")).not.toHaveProperty("blame");
  });

  test("orders of one room count once against a worker, and so do jobs of one order", async () => {
    const s = await three();
    for (const id of ["AW_2", "AW_3"]) await s.sample(id, 0.6);
    const decline = async (job: number) => {
      await s.order(`AD_${job}`);
      const { session, epoch } = await asked(s, `AJ_${job}`);
      expect(session).toBe("AW_1");
      return blameOf(await s.reject(`AJ_${job}`, session, epoch, "rejected"));
    };
    s.roomFor = () => "one room";
    for (let job = 0; job < 6; job++) expect(await decline(job)).toBeNull();
    s.roomFor = (order) => `room-${order}`;
    for (let job = 6; job < 9; job++) expect(await decline(job)).toBeNull();
    expect(await decline(9)).toMatchObject({ session: "AW_1", reason: "rejects" });
  });

  test("who was ejected for a job is back as soon as another fails it too; and is out again when a third takes it", async () => {
    const s = await three();
    await s.order("AD_1");
    const first = await declined(s, "AJ_1", "silent");
    expect(first.blame).toMatchObject({ reason: "silent", last_of_pool: false });
    expect(await health(s, first.session)).toBe("ejected");
    const second = await declined(s, "AJ_1", "silent");
    for (const { session } of [first, second]) expect(await health(s, session)).toBeUndefined();
    const { session, epoch } = await asked(s, "AJ_1");
    await s.accept("AJ_1", session, epoch);
    expect(await suspectAt(s, "AJ_1")).toBeUndefined();
    // They hung, all the same: the next job that one of them does not answer says so.
    await s.order("AD_2");
    const again = await asked(s, "AJ_2");
    expect(again.session).toBe(first.session);
    expect(blameOf(await s.reject("AJ_2", again.session, again.epoch, "silent"))).toMatchObject({
      session: first.session,
    });
  });

  test("two workers that decline everything are found out by whoever takes their jobs", async () => {
    const s = await three();
    await s.sample("AW_3", 0.6);
    for (let id = 0; id < 6; id++) {
      await s.order(`AD_${id}`);
      for (let asks = 0; asks < 3; asks++) {
        const reply = await s.admit(`AJ_${id}`);
        if (reply.status !== "offered") break;
        const session = reply.job.session ?? "";
        const epoch = Number(reply.job.epoch);
        if (session !== "AW_3") await s.reject(`AJ_${id}`, session, epoch, "rejected");
        else {
          await s.accept(`AJ_${id}`, session, epoch);
          await s.report(`AJ_${id}`, session, "success", reply.job.wire);
        }
      }
      s.pass(1);
    }
    const states = await Promise.all([health(s, "AW_1"), health(s, "AW_2")]);
    expect(states).toContain("ejected");
    expect(await health(s, "AW_3")).toBeUndefined();
  });

  test("one that says nothing to a job while it takes others is not silent: the job hangs there", async () => {
    const s = await three();
    for (const id of ["AW_2", "AW_3"]) await s.sample(id, 0.6);
    await s.order("AD_1");
    const { session, epoch } = await asked(s, "AJ_1");
    s.pass(10);
    await s.running("AJ_2", session);
    s.pass(3_000);
    await s.reject("AJ_1", session, epoch, "slow");
    expect(await suspectAt(s, "AJ_1")).toBeDefined();
    expect(await s.timer(`session|${session}`)).toBeUndefined();
    await s.settleLate("AJ_1", session, epoch, "none", { offeredAt: s.nowMs - 3_010 });
    expect(await health(s, session)).toBeUndefined();
  });

  test("a refusal of one that may be full makes no pause longer, and nobody suspect", async () => {
    const s = await three();
    for (const id of WORKERS) await s.starting(`AJ_${id}`, id);
    s.pass(1);
    for (let round = 0; round < 3; round++) {
      if (round === 0) await s.order("AD_1");
      for (const _ of WORKERS) await declined(s, "AJ_1");
      await s.admit("AJ_1");
      expect(await s.timer("job|AJ_1")).toBe(s.nowMs + RETRY_MS);
      s.pass(RETRY_MS);
      await s.expireJob("AJ_1");
    }
    expect(await suspectAt(s, "AJ_1")).toBeUndefined();
  });

  test("a refusal by a session whose record Redis lost changes the job all the same", async () => {
    const s = await three();
    await s.order("AD_1");
    const { session, epoch } = await asked(s, "AJ_1");
    await s.redis.del(`muster:{${s.namespace}}:session:${session}`);
    expect(await s.reject("AJ_1", session, epoch, "rejected")).toMatchObject({ status: "requeued" });
    expect(await s.field("job", "AJ_1", "state")).toBe("queued");
    // What else Redis kept of that session is of no consistent ledger.
    await forgetNamespace(s.redis, s.namespace);
  });

  test("jobs that fail at once eject nobody once they did so with two", async () => {
    const s = await three();
    const fails = async (job: string) => {
      const { session, epoch } = await asked(s, job);
      await s.accept(job, session, epoch);
      const wire = (await s.field("job", job, "wire")) ?? job;
      return { session, reply: await s.report(job, session, "failed", wire) };
    };
    for (let id = 0; id < 9; id++) await s.order(`AD_${id}`);
    for (let id = 0; id < 9; id++) await fails(`AJ_${id}`);
    const out = [];
    for (const id of WORKERS) out.push(await health(s, id));
    expect(out.filter((state) => state === undefined)).not.toEqual([]); // the last one stays
    s.pass(1_000);
    for (let id = 0; id < 9; id++) {
      await s.expireJob(`AJ_${id}`);
      await fails(`AJ_${id}`);
    }
    for (const id of WORKERS) expect(await health(s, id), id).toBeUndefined();
  });

  test("it stands behind all others, whatever its priority and age, and pauses longer each time", async () => {
    const s = await three();
    await s.order("AD_1", undefined, { priority: 1000 });
    for (const _ of WORKERS) await declined(s, "AJ_1");
    for (const pause of [RETRY_MS, 2 * RETRY_MS, 4 * RETRY_MS]) {
      await s.admit("AJ_1");
      expect(await s.timer("job|AJ_1")).toBe(s.nowMs + pause);
      s.pass(pause);
      await s.expireJob("AJ_1");
      for (const _ of WORKERS) await declined(s, "AJ_1");
    }
    await s.admit("AJ_1");
    for (const id of WORKERS) await s.sample(id, 1, { status: "full" });
    await s.order("AD_2");
    await s.admit("AJ_2");
    expect(await s.position("AJ_2")).toMatchObject({ position: 0 });
    expect(await s.position("AJ_1")).toMatchObject({ position: 1 });
    await s.sample("AW_1", 0);
    expect(await s.serve(POOL)).toMatchObject({ status: "offered", job: { id: "AJ_2" } });
  });

  test("one that a single worker declines twice, and takes another in between, is suspect; without one it is not", async () => {
    const s = scene();
    s.roomFor = (order) => `room-${order}`;
    await s.reporter("AW_1");
    s.pass(1);
    const again = async () => {
      s.pass(30_000);
      await s.expireJob("AJ_1");
      return (await declined(s, "AJ_1")).blame;
    };
    await s.order("AD_1");
    await declined(s, "AJ_1");
    await s.admit("AJ_1");
    expect(await again()).toBeNull();
    await s.admit("AJ_1");
    await s.order("AD_2");
    await s.running("AJ_2", "AW_1");
    s.pass(1);
    await s.sample("AW_1", 0.1);
    expect(await again()).toBeNull();
    expect(await suspectAt(s, "AJ_1")).toBeDefined();
  });

  test("a probation is not spent on it, until nobody else came for half a minute", async () => {
    const s = await three();
    await declinedByAll(s, 0);
    for (const id of ["AW_2", "AW_3"]) await s.deregister(id);
    await s.worker("AW_4", 0.6);
    await s.order("AD_9");
    expect(await declined(s, "AJ_9", "silent")).toMatchObject({ session: "AW_1" });
    s.pass(COOL_MS);
    expect(await s.expireSession("AW_1")).toMatchObject({ status: "back" });
    expect(await health(s, "AW_1")).toBe("probation");
    await s.sample("AW_4", 1, { status: "full" });
    await s.expireJob("AJ_0");
    expect(await s.admit("AJ_0")).toMatchObject({ status: "parked" });
    const waits = await s.ledger.explainWait({ ...s.at, job: "AJ_0", first: 0, limit: 9 });
    expect(waits).toMatchObject({ why: "back_off" });
    expect(waits.status === "waits" && waits.sessions).toContainEqual(
      expect.objectContaining({ session: "AW_1", verdict: "suspect_job" }),
    );
    s.pass(29_999);
    await s.expireJob("AJ_0");
    expect(await s.admit("AJ_0")).toMatchObject({ status: "parked" });
    s.pass(30_000);
    await s.expireJob("AJ_0");
    expect(await s.admit("AJ_0")).toMatchObject({ status: "offered", job: { session: "AW_1" } });
  });

  test("one that ran for a while is cleared, and then speaks against those who failed it", async () => {
    const s = await three();
    await s.order("AD_1");
    const failed: string[] = [];
    for (let attempt = 1; attempt <= 2; attempt++) {
      const { session, epoch } = await asked(s, "AJ_1");
      failed.push(session);
      await s.accept("AJ_1", session, epoch);
      await s.report("AJ_1", session, "failed", (await s.field("job", "AJ_1", "wire")) ?? "");
      s.pass(30_000);
      await s.expireJob("AJ_1");
    }
    expect(await suspectAt(s, "AJ_1")).toBeDefined();
    const { session, epoch } = await asked(s, "AJ_1");
    await s.accept("AJ_1", session, epoch);
    await s.seen("AJ_1", session, epoch);
    expect(await suspectAt(s, "AJ_1")).toBeDefined();
    s.pass(EARLY_MS);
    await s.report("AJ_1", session, "success", (await s.field("job", "AJ_1", "wire")) ?? "");
    expect(await suspectAt(s, "AJ_1")).toBeUndefined();
    const others = failed.filter((id) => id !== session);
    expect(others).not.toEqual([]);
    for (const id of others) expect(await s.strikes(id, "fails_early")).toBe(1);
  });
});
