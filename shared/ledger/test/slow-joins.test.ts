/** Agents that need long to join their room: how long they are given, and what their pool learns of it. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { GUARD_MS, RECHECK_MS, type Scene, SILENT_MS, START_MS, STOP_MS } from "./scene.js";

/** Until it is due. */
const timerOf = async (s: Scene, job = "AJ_1") => ((await s.timer(`job|${job}`)) ?? 0) - s.nowMs;

/** Accepted, and asked about at the end of what it is given; answers how long that was. */
async function givenMs(s: Scene, job: string, session: string): Promise<number> {
  const startedAt = s.nowMs;
  for (let looks = 0; looks < 9; looks++) {
    s.nowMs = (await s.timer(`job|${job}`)) ?? 0;
    if ((await s.expireJob(job)).status === "unjoined") return s.nowMs - startedAt;
  }
  throw new Error(`${job} on ${session} was never asked about`);
}

onEachRedis("an agent that is slow to join", (scene) => {
  async function house(): Promise<Scene> {
    const s = scene();
    await s.knowPresence();
    await s.worker("AW_1");
    return s;
  }

  test("has twice as long in the next attempt of its job, and four times as long in the third", async () => {
    const s = await house();
    await s.starting("AJ_1", "AW_1");
    expect(await givenMs(s, "AJ_1", "AW_1")).toBe(START_MS);
    const given: number[] = [];
    for (const session of ["AW_2", "AW_3"]) {
      const epoch = Number(await s.field("job", "AJ_1", "epoch"));
      await s.settleUnjoined("AJ_1", epoch, "never", true);
      await s.worker(session);
      const reply = await s.admit("AJ_1");
      expect(reply).toMatchObject({ status: "offered", job: { session } });
      await s.accept("AJ_1", session, epoch + 1);
      given.push(await givenMs(s, "AJ_1", session));
    }
    expect(given).toEqual([2 * START_MS, 4 * START_MS]);
  });

  test.each([
    ["quick", 4_000, START_MS],
    ["well within its time", 20_000, START_MS],
    ["close to its end", 28_000, 35_000],
    ["late", 50_000, 62_500],
    ["very late", 200_000, 4 * START_MS],
  ])("teaches its pool: %s", async (_, tookMs, expected) => {
    const s = await house();
    await s.starting("AJ_1", "AW_1");
    s.pass(tookMs);
    await s.agentJoined("AJ_1", "PA_1", s.nowMs);
    await s.worker("AW_2");
    await s.starting("AJ_2", "AW_2");
    expect(await givenMs(s, "AJ_2", "AW_2")).toBe(expected);
  });

  test("teaches its pool also when it was stopped before it came, and put out", async () => {
    const s = await house();
    await s.starting("AJ_1", "AW_1");
    s.pass(START_MS);
    await s.settleUnjoined("AJ_1", 1, "never", true);
    s.pass(10_000);
    await s.confirmStop("AW_1|AJ_1", true);
    await s.worker("AW_2");
    await s.starting("AJ_2", "AW_2");
    expect(await givenMs(s, "AJ_2", "AW_2")).toBe(50_000);
  });

  test("keeps the job of a lost worker from being given away for as long", async () => {
    const s = await house();
    await s.starting("AJ_0", "AW_1");
    s.pass(50_000);
    await s.agentJoined("AJ_0", "PA_0", s.nowMs);
    await s.starting("AJ_1", "AW_1");
    await s.deregister("AW_1");
    const startMs = START_MS;
    expect(await s.settle("AJ_1", 1, "absent", false, { startMs })).toMatchObject({ status: "kept" });
    expect(await timerOf(s)).toBe(62_500);
  });
});

onEachRedis("a job whose agent nobody saw in its room", (scene) => {
  async function started(s: Scene, agesMs: number): Promise<void> {
    await s.knowPresence();
    await s.worker("AW_1");
    await s.order("AD_1", undefined, { room_sid: "RM_1" });
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    s.pass(agesMs);
  }

  test.each([
    ["5 s after its start", 5_000, "room_closed", "canceled"],
    ["later", 5_001, "never_joined", "never_joined"],
  ])("is no success when its room ends %s", async (_, agesMs, cause, counted) => {
    const s = scene();
    await started(s, agesMs);
    expect(await s.endRoom("AD_1")).toMatchObject({ outcomes: [counted], stops: [{ wire: "AJ_1" }] });
    expect(await s.field("job", "AJ_1", "cause")).toBe(cause);
    expect(await s.field("job", "AJ_1", "outcome")).toBe("canceled");
  });

  test("is one when it was seen, and when not all that was seen of the room was told", async () => {
    const s = scene();
    await started(s, 60_000);
    await s.agentJoined("AJ_1", "PA_1");
    expect(await s.endRoom("AD_1")).toMatchObject({ outcomes: ["success"] });
    const other = scene();
    await other.order("AD_2", undefined, { room_sid: "RM_1" });
    await other.admit("AJ_2");
    await other.accept("AJ_2", "AW_1", 1);
    expect(await other.endRoom("AD_2", "RM_1", 100, 0, false)).toMatchObject({ outcomes: ["success"] });
  });
});

onEachRedis("a job that its worker says it runs, and whose agent nobody saw", (scene) => {
  async function runs(): Promise<Scene> {
    const s = scene();
    await s.knowPresence();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    await s.report("AJ_1", "AW_1", "running");
    return s;
  }

  test("is asked about when the slowest agent would be there", async () => {
    const s = await runs();
    expect(await timerOf(s)).toBe(4 * START_MS);
    s.pass(4 * START_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "unjoined", epoch: 1 });
    expect(await timerOf(s)).toBe(GUARD_MS);
  });

  test("is given to another while somebody waits, and its worker is told to stop", async () => {
    const s = await runs();
    s.pass(4 * START_MS);
    const settled = await s.settleUnjoined("AJ_1", 1, "never", true);
    expect(settled).toMatchObject({ status: "stopping", outcome: "", stop: { session: "AW_1" } });
    expect(await s.timer("stop|AW_1|AJ_1")).toBeLessThan(s.nowMs + STOP_MS + 1);
    await s.worker("AW_2");
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
  });

  test.each([
    ["joined", true, SILENT_MS],
    ["unknown", true, RECHECK_MS],
    ["never", false, RECHECK_MS],
  ] as const)(
    "goes on when presence says %s (company: %s), and is asked about again",
    async (verdict, company, dueMs) => {
      const s = await runs();
      s.pass(4 * START_MS);
      expect(await s.settleUnjoined("AJ_1", 1, verdict, company)).toEqual({
        status: "kept",
        due: s.nowMs + dueMs,
      });
      expect(await s.field("job", "AJ_1", "state")).toBe("running");
    },
  );

  test("is asked about all the same when its worker was lost, and came back with it", async () => {
    const s = await runs();
    const at = s.nowMs + 4 * START_MS;
    await s.deregister("AW_1");
    s.pass(1_000);
    await s.worker("AW_2");
    expect(await s.migrate("AW_2", "AJ_1")).toMatchObject({ moved: { length: 1 } });
    expect(await s.timer("job|AJ_1")).toBe(at);
    s.nowMs = at;
    expect(await s.expireJob("AJ_1")).toMatchObject({ status: "unjoined" });
  });

  test("has no timer once its agent was seen, nor where nobody can say", async () => {
    const s = await runs();
    await s.agentJoined("AJ_1", "PA_1", s.nowMs);
    expect(await s.timer("job|AJ_1")).toBeUndefined();
    const other = scene();
    await other.redis.del(`muster:{${other.namespace}}:presence`);
    await other.worker("AW_2");
    await other.starting("AJ_2", "AW_2");
    await other.report("AJ_2", "AW_2", "running");
    expect(await other.timer("job|AJ_2")).toBeUndefined();
  });
});
