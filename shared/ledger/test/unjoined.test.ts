/** Jobs whose agent nobody saw in its room: reported as done all the same, or not seen to start by their deadline. */
import { expect, test } from "vitest";
import { onEachRedis } from "./on-each-redis.js";
import { CHECK_MS, GUARD_MS, newJob, RECHECK_MS, type Scene, SILENT_MS, START_MS } from "./scene.js";

const job = async (s: Scene, ...fields: string[]) =>
  Promise.all(fields.map((field) => s.field("job", "AJ_1", field)));
const ending = (s: Scene) => job(s, "state", "outcome", "cause");

/** AW_1 has one place, and says that its job went well although nobody saw the agent. */
async function reported(s: Scene): Promise<number> {
  await s.knowPresence();
  await s.worker("AW_1", 0, { cap: 1 });
  const epoch = await s.starting("AJ_1", "AW_1");
  await s.report("AJ_1", "AW_1", "running");
  expect(await s.loadInPool("AW_1")).toBeUndefined();
  const reply = await s.report("AJ_1", "AW_1", "success");
  expect(reply).toMatchObject({ status: "checking", due: s.nowMs + CHECK_MS });
  return epoch;
}

onEachRedis("a job whose agent nobody saw", (scene) => {
  test("is believed to have gone well where nobody can say whether it joined", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    expect(await s.report("AJ_1", "AW_1", "success")).toMatchObject({ status: "ended" });
    expect(await ending(s)).toEqual(["ended", "success", "reported"]);
  });

  test("is believed at once when it was seen to join, and when its worker says that it failed", async () => {
    const s = scene();
    await s.knowPresence();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    await s.agentJoined("AJ_1", "PA_1");
    expect(await s.report("AJ_1", "AW_1", "success")).toMatchObject({ status: "ended" });
    await s.starting("AJ_2", "AW_1");
    expect(await s.report("AJ_2", "AW_1", "failed")).toMatchObject({ status: "retrying" });
  });

  test("is doubted when its worker reports success; its place is free at once, and the repeat is answered the same", async () => {
    const s = scene();
    await reported(s);
    const due = s.nowMs + CHECK_MS;
    expect(await s.loadInPool("AW_1")).toBe(0);
    expect(await s.report("AJ_1", "AW_1", "success")).toMatchObject({ status: "checking", due });
    expect(await s.report("AJ_1", "AW_1", "failed")).toEqual({ status: "refused", reason: "ended" });
    expect(await s.report("AJ_1", "AW_1", "running")).toEqual({ status: "refused", reason: "ended" });
  });

  test.each([
    [-1, { status: "idle" }],
    [0, { status: "unjoined", epoch: 1 }],
    [1, { status: "unjoined", epoch: 1 }],
  ])("is asked about %i ms from its check, and again should nobody settle it", async (offset, expected) => {
    const s = scene();
    await reported(s);
    s.pass(CHECK_MS + offset);
    expect(await s.expireJob("AJ_1")).toEqual(expected);
    if (expected.status === "idle") return;
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + GUARD_MS);
    s.pass(GUARD_MS);
    expect(await s.expireJob("AJ_1")).toEqual(expected);
  });

  test.each(["joined", "unknown"] as const)("ended as reported when presence says %s", async (verdict) => {
    const s = scene();
    const epoch = await reported(s);
    const settled = await s.settleUnjoined("AJ_1", epoch, verdict, true);
    expect(settled).toMatchObject({ status: "ended", outcome: "success", cause: "reported" });
    expect(await s.report("AJ_1", "AW_1", "success")).toMatchObject({ status: "ended" });
    expect(await s.settleUnjoined("AJ_1", epoch, "never")).toEqual({ status: "stale", state: "ended" });
  });

  test("ended as reported when the join is told of within the check, whatever is told after it", async () => {
    const s = scene();
    const epoch = await reported(s);
    s.pass(CHECK_MS - 1);
    expect(await s.agentJoined("AJ_1", "PA_1")).toEqual({ status: "running" });
    expect(await s.agentLeft("AJ_1", "PA_1", "failed")).toMatchObject({ status: "left" });
    expect(await s.settleUnjoined("AJ_1", epoch, "never", true)).toMatchObject({ outcome: "success" });

    const other = scene();
    await other.order("AD_2", [newJob("AJ_2")]);
    const reply = await other.admit("AJ_2");
    if (reply.status !== "offered") throw new Error(reply.status);
    await other.accept("AJ_2", "AW_1", 1);
    await other.report("AJ_2", "AW_1", "success");
    await other.agentJoined("AJ_2", "PA_2");
    other.pass(CHECK_MS);
    expect(await other.expireJob("AJ_2")).toMatchObject({ status: "ended", outcome: "success" });
  });

  test("failed when somebody waits: tried again by another worker, and held against this one", async () => {
    const s = scene();
    const epoch = await reported(s);
    await s.worker("AW_2");
    const settled = await s.settleUnjoined("AJ_1", epoch, "never", true);
    expect(settled).toMatchObject({ status: "retrying", due: s.nowMs + 1_000 });
    expect(await s.strikes("AW_1", "fails_early")).toBe(1);
    expect(await job(s, "state", "excluded", "reported", "error")).toEqual([
      ...["queued", "AW_1", undefined, "the agent never joined its room"],
    ]);
    // What its worker says again, and what was asked before, changes nothing.
    expect(await s.report("AJ_1", "AW_1", "success")).toMatchObject({ status: "retrying" });
    expect(await s.settleUnjoined("AJ_1", epoch, "never", false)).toEqual({
      status: "stale",
      state: "queued",
    });
    s.pass(1_000);
    expect(await s.admit("AJ_1")).toMatchObject({ status: "offered", job: { session: "AW_2" } });
    expect((await s.explain("AJ_1")).attempts[0]).toMatchObject({ outcome: "never_joined" });
  });

  test("failed for good with the last of its attempts", async () => {
    const s = scene();
    await s.knowPresence();
    await s.worker("AW_1");
    await s.order("AD_1", [{ ...newJob("AJ_1"), max_attempts: 1 }]);
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    await s.report("AJ_1", "AW_1", "success");
    const settled = await s.settleUnjoined("AJ_1", 1, "never", true);
    expect(settled).toMatchObject({ status: "ended", outcome: "failed", cause: "never_joined" });
    expect(await ending(s)).toEqual(["ended", "failed", "never_joined"]);
  });

  test("is over when nobody is there: not tried again, and nobody is blamed", async () => {
    const s = scene();
    const epoch = await reported(s);
    const settled = await s.settleUnjoined("AJ_1", epoch, "never", false);
    expect(settled).toMatchObject({ status: "ended", outcome: "canceled", cause: "never_joined" });
    expect(await ending(s)).toEqual(["ended", "canceled", "never_joined"]);
    expect(await s.strikes("AW_1", "fails_early")).toBe(0);
    expect(await s.field("order", "AD_1", "state")).toBe("ended");
  });

  test.each([true, false])("is bad for a split, company or not (%s)", async (company) => {
    const s = scene();
    await s.knowPresence();
    await s.setSplit({
      steps: [{ after_ms: 0, percent: 100 }],
      rollback: { max_bad_percent: 0, min_jobs: 1 },
    });
    await s.worker("AW_new", 0, { deployment: "new" }, "NO_g", "room/agent/new");
    const epoch = await s.starting("AJ_1", "AW_new");
    await s.report("AJ_1", "AW_new", "running");
    await s.report("AJ_1", "AW_new", "success");
    await s.settleUnjoined("AJ_1", epoch, "never", company);
    expect(await s.split()).toMatchObject({ candidate: { good: 0, bad: 1 } });
  });

  test("outlives its session, its gateway, and whoever names it again", async () => {
    const s = scene();
    const epoch = await reported(s);
    await s.register("AW_2");
    expect(await s.migrate("AW_2", "AJ_1")).toMatchObject({ moved: [], stops: ["AJ_1"] });
    expect(await s.deregister("AW_1")).toMatchObject({ orphaned: [], requeued: [] });
    expect(await s.settle("AJ_1", epoch, "absent")).toEqual({ status: "stale", state: "running" });
    expect(await s.settleUnjoined("AJ_1", epoch, "never", true)).toMatchObject({ status: "retrying" });
  });

  test("is over on its worker: whoever still holds it is to stop it, and it gets no second life", async () => {
    const s = scene();
    const epoch = await reported(s);
    const claim = { job: "AJ_1", session: "AW_1", epoch, wire: "AJ_1" };
    expect(await s.assert([claim])).toMatchObject({
      stops: [{ job: "AJ_1", session: "AW_1", wire: "AJ_1" }],
    });
    expect(await job(s, "state", "reported")).toEqual(["running", "success"]);
  });

  test.each(["asserted", "named"])(
    "was before an attempt that Redis forgot, and that is %s now",
    async (how) => {
      const s = scene();
      const epoch = await reported(s);
      await s.worker("AW_2");
      const claim = { job: "AJ_1", session: "AW_2", epoch: epoch + 1, wire: "AJ_1.2" };
      if (how === "asserted") expect(await s.assert([claim])).toMatchObject({ stops: [] });
      else
        expect(await s.migrate("AW_2", "AJ_1.2")).toMatchObject({
          moved: [{ wire: "AJ_1.2" }],
          stops: [],
          closed: [],
        });
      expect(await job(s, "state", "session", "reported", "left_at")).toEqual([
        ...["running", "AW_2", undefined, undefined],
      ]);
      expect(await s.timer("job|AJ_1")).toBeUndefined();
      expect(await s.settleUnjoined("AJ_1", epoch, "never", true)).toEqual({
        status: "stale",
        state: "running",
      });
    },
  );

  test("outlives its room by its check, and is not tried again after it", async () => {
    const s = scene();
    await s.knowPresence();
    await s.worker("AW_1");
    await s.order("AD_1", [{ ...newJob("AJ_1"), room_sid: "RM_1" }], { room_sid: "RM_1", one_life: 1 });
    await s.admit("AJ_1");
    const epoch = 1;
    await s.accept("AJ_1", "AW_1", epoch);
    await s.report("AJ_1", "AW_1", "success");
    expect(await s.endRoom("AD_1")).toMatchObject({ status: "ended", stops: [], outcomes: [], more: 0 });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + CHECK_MS);
    const settled = await s.settleUnjoined("AJ_1", epoch, "never", true);
    expect(settled).toMatchObject({ status: "ended", outcome: "failed", cause: "never_joined" });
    expect(await s.field("order", "AD_1", "state")).toBe("ended");
  });

  test("is doubted too when its worker says goodbye instead of a report", async () => {
    const s = scene();
    await s.knowPresence();
    await s.worker("AW_1");
    const epoch = await s.starting("AJ_1", "AW_1");
    await s.report("AJ_1", "AW_1", "running");
    await s.starting("AJ_2", "AW_1");
    await s.agentJoined("AJ_2", "PA_2");
    expect(await s.deregister("AW_1", true)).toMatchObject({ ended: ["AJ_2"], orphaned: [] });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + CHECK_MS);
    const settled = await s.settleUnjoined("AJ_1", epoch, "never", false);
    expect(settled).toMatchObject({ status: "ended", outcome: "canceled", cause: "never_joined" });
  });

  test("of an orphan too, by the word on another socket", async () => {
    const s = scene();
    await s.knowPresence();
    await s.worker("AW_1");
    const epoch = await s.starting("AJ_1", "AW_1");
    await s.deregister("AW_1");
    await s.register("AW_2");
    expect(await s.report("AJ_1", "AW_2", "success")).toMatchObject({ status: "checking" });
    expect(await s.settle("AJ_1", epoch, "absent")).toEqual({ status: "stale", state: "running" });
    const settled = await s.settleUnjoined("AJ_1", epoch, "never", false);
    expect(settled).toMatchObject({ outcome: "canceled", cause: "never_joined" });
  });

  test.each([
    ["terminated", (s: Scene) => s.terminate("AJ_1"), "canceled"],
    ["deleted", (s: Scene) => s.deleteOrder("AD_1"), "canceled"],
    ["ended from outside", (s: Scene) => s.endJob("AJ_1"), "success"],
  ])("%s while it is doubted has nothing to stop", async (_, act, outcome) => {
    const s = scene();
    const epoch = await reported(s);
    const reply = await act(s);
    expect("stop" in reply ? reply.stop : "stops" in reply ? reply.stops : null).toEqual(
      "stops" in reply ? [] : null,
    );
    expect((await ending(s)).slice(0, 2)).toEqual(["ended", outcome]);
    expect(await s.settleUnjoined("AJ_1", epoch, "never", true)).toEqual({ status: "stale", state: "ended" });
  });

  test("of racing verdicts one counts", async () => {
    const s = scene();
    const epoch = await reported(s);
    const racers = (["never", "joined", "never", "unknown"] as const).map((verdict) =>
      s.settleUnjoined("AJ_1", epoch, verdict, true),
    );
    const settled = (await Promise.all(racers)).filter(({ status }) => status !== "stale");
    expect(settled).toHaveLength(1);
  });
});

onEachRedis("a job of a silent worker that was not seen to start", (scene) => {
  async function unseen(s: Scene): Promise<number> {
    await s.knowPresence();
    await s.worker("AW_1");
    const epoch = await s.starting("AJ_1", "AW_1");
    s.pass(START_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "unjoined", epoch });
    expect(await s.timer("job|AJ_1")).toBe(s.nowMs + GUARD_MS);
    return epoch;
  }

  test("never joined while somebody waits: it is stopped, and the next worker is asked at once", async () => {
    const s = scene();
    const epoch = await unseen(s);
    await s.worker("AW_2");
    const settled = await s.settleUnjoined("AJ_1", epoch, "never", true);
    expect(settled).toMatchObject({
      status: "stopping",
      outcome: "",
      stop: { session: "AW_1", wire: "AJ_1" },
    });
    expect(await s.strikes("AW_1", "never_starts")).toBe(1);
    expect(await s.settleUnjoined("AJ_1", epoch, "never", true)).toEqual({
      status: "stale",
      state: "queued",
    });
    expect(await s.admit("AJ_1")).toMatchObject({
      status: "offered",
      job: { session: "AW_2", wire: "AJ_1.2" },
    });
  });

  test("never joined with the last attempt: it failed", async () => {
    const s = scene();
    await s.order("AD_1", [{ ...newJob("AJ_1"), max_attempts: 1 }]);
    await s.knowPresence();
    await s.worker("AW_1");
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    expect(await s.settleUnjoined("AJ_1", 1, "never", true)).toMatchObject({ outcome: "failed" });
    expect(await ending(s)).toEqual(["ended", "failed", "never_started"]);
  });

  test("never joined an empty room: it is over, and its worker is told to stop", async () => {
    const s = scene();
    const epoch = await unseen(s);
    const settled = await s.settleUnjoined("AJ_1", epoch, "never", false);
    expect(settled).toMatchObject({ status: "stopping", outcome: "canceled", stop: { session: "AW_1" } });
    expect(await ending(s)).toEqual(["ended", "canceled", "never_joined"]);
  });

  test.each(["joined", "unknown"] as const)(
    "of which presence says %s is believed to run, and asked about again until its bound",
    async (verdict) => {
      const s = scene();
      const startedAt = s.nowMs;
      const epoch = await unseen(s);
      const kept = await s.settleUnjoined("AJ_1", epoch, verdict, true);
      expect(kept).toEqual({ status: "kept", due: s.nowMs + RECHECK_MS });
      s.nowMs = startedAt + SILENT_MS - 1;
      expect(await s.expireJob("AJ_1")).toMatchObject({ status: "unjoined" });
      expect(await s.settleUnjoined("AJ_1", epoch, verdict)).toEqual({
        status: "kept",
        due: startedAt + SILENT_MS,
      });
      s.pass(1);
      expect(await s.expireJob("AJ_1")).toMatchObject({ status: "stopping", outcome: "unknown" });
    },
  );

  test("is believed for long, and nobody asks, where nobody can say", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.starting("AJ_1", "AW_1");
    s.pass(START_MS);
    expect(await s.expireJob("AJ_1")).toEqual({ status: "idle" });
  });
});

onEachRedis("presence is known to a namespace", (scene) => {
  test("for as long as its host says so, and not to one that rests", async () => {
    const s = scene();
    const isKnown = () => s.redis.pttl(`muster:{${s.namespace}}:presence`);
    await s.worker("AW_1");
    const say = (presenceMs: number) => s.ledger.listWaiting({ ...s.at, first: 0, limit: 1, presenceMs });
    await say(0);
    expect(await isKnown()).toBe(-2);
    await say(60_000);
    await say(1_000);
    expect(await isKnown()).toBeGreaterThan(50_000);
    await s.deregister("AW_1", true);
    expect(await s.rest()).toMatchObject({ status: "resting" });
    expect(await isKnown()).toBe(-2);
  });
});
