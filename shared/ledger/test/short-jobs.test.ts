/** Jobs whose agent left its room at once while a caller stayed: what counts as one, once, and what a split makes of it. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { CANDIDATE_POOL, newJob, POOL, type Scene } from "./scene.js";

const short = (s: Scene, job = "AJ_1", sid = "PA_1") => s.ledger.noteShortJob({ ...s.at, job, sid });

onEachRedis("a short job", (scene) => {
  /** Its agent was seen to join as PA_1. */
  async function joined(s: Scene, job = "AJ_1", session = "AW_1"): Promise<void> {
    await s.starting(job, session);
    await s.agentJoined(job, "PA_1");
  }

  test("counts once, when it has ended well", async () => {
    const s = scene();
    await s.worker("AW_1");
    await joined(s);
    await s.agentLeft("AJ_1", "PA_1", "clean");
    expect(await short(s)).toEqual({ status: "living" });
    await s.report("AJ_1", "AW_1", "success");
    expect(await short(s)).toEqual({ status: "counted", pool: POOL });
    expect(await short(s)).toEqual({ status: "repeated" });
    expect(await s.field("job", "AJ_1", "outcome")).toBe("success");
  });

  test("counts once with two who say so", async () => {
    const s = scene();
    await s.worker("AW_1");
    await joined(s);
    await s.report("AJ_1", "AW_1", "success");
    const replies = await Promise.all([short(s), short(s)]);
    expect(replies.map(({ status }) => status).sort()).toEqual(["counted", "repeated"]);
  });

  test("is none that is not known, and none of another participant", async () => {
    const s = scene();
    await s.worker("AW_1");
    expect(await short(s)).toEqual({ status: "ignored", reason: "unknown_job" });
    await joined(s);
    await s.report("AJ_1", "AW_1", "success");
    expect(await short(s, "AJ_1", "PA_2")).toEqual({ status: "ignored", reason: "another_sid" });
    expect(await s.field("job", "AJ_1", "short")).toBeUndefined();
  });

  test.each([
    ["failed", (s: Scene) => s.report("AJ_1", "AW_1", "failed")],
    ["canceled", (s: Scene) => s.terminate("AJ_1")],
  ])("is none that %s", async (outcome, end) => {
    const s = scene();
    await s.worker("AW_1");
    await s.order("AD_1", [{ ...newJob("AJ_1"), max_attempts: 1 }]);
    const reply = await s.admit("AJ_1");
    if (reply.status !== "offered") throw new Error(reply.status);
    await s.accept("AJ_1", "AW_1", Number(reply.job.epoch));
    await s.agentJoined("AJ_1", "PA_1");
    await end(s);
    expect(await short(s)).toEqual({ status: "ignored", reason: outcome });
  });

  test.each([
    ["bad", { good: 0, bad: 1 }],
    ["ignored", { good: 1, bad: 0 }],
  ] as const)("of a split's candidate is %s as the split says, once", async (says, counts) => {
    const s = scene();
    await s.setSplit({
      steps: [{ after_ms: 0, percent: 100 }],
      rollback: { max_bad_percent: 0, min_jobs: 1 },
      ...(says === "bad" && { short_jobs: says }),
    });
    await s.worker("AW_new", 0, {}, "NO_g", CANDIDATE_POOL);
    await joined(s, "AJ_1", "AW_new");
    await s.report("AJ_1", "AW_new", "success");
    expect(await s.split()).toMatchObject({ candidate: { good: 1, bad: 0 } });
    expect(await short(s)).toEqual({ status: "counted", pool: CANDIDATE_POOL });
    await short(s);
    expect(await s.split()).toMatchObject({ candidate: counts });
    const reply = await s.expireSplit();
    expect(reply.status).toBe(says === "bad" ? "rolled_back" : "idle");
    if (reply.status === "rolled_back") expect(reply.split.why).toBe("short");
  });

  test("of a split that was set anew meanwhile says nothing of the new one", async () => {
    const s = scene();
    const all = { steps: [{ after_ms: 0, percent: 100 }], short_jobs: "bad" } as const;
    await s.setSplit(all);
    await s.worker("AW_new", 0, {}, "NO_g", CANDIDATE_POOL);
    await joined(s, "AJ_1", "AW_new");
    await s.report("AJ_1", "AW_new", "success");
    s.pass(1);
    await s.setSplit({ ...all, rollback: { max_bad_percent: 10, min_jobs: 1 } });
    expect(await short(s)).toMatchObject({ status: "counted" });
    expect(await s.split()).toMatchObject({ candidate: { good: 0, bad: 0 } });
  });
});
