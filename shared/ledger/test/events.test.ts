/** What the scripts tell of a job, when somebody listens: each change once, in its order, with what it was about. */

import { jobEventOf } from "@muster/runtime/events/outbox-entry";
import fc from "fast-check";
import { expect, test } from "vitest";
import { eventProblems } from "./event-grammar.js";
import { beginning, sequenceOf } from "./model-operations.js";
import { ModelStep } from "./model-step.js";
import { onEachRedis } from "./on-each-redis.js";
import { newJob, OFFER_MS, RETAIN_MS, Scene, START_MS, STOP_MS, WAIT_MS } from "./scene.js";
import { forgetNamespace } from "./snapshot.js";

const LISTEN_MS = 600_000;

const outboxOf = (s: Scene) => `muster:{${s.namespace}}:events`;

/** All that the outbox holds, without the prefix of names, and without what is empty. */
async function told(s: Scene, job?: string) {
  const entries = await s.redis.xrange(outboxOf(s), "-", "+");
  return entries
    .map(([id, fields]) => {
      const event = jobEventOf(s.namespace, id, fields);
      if (event === undefined) throw new Error(`no event: ${fields.join()}`);
      return { ...event, event: event.event.replace("agent_job_", "") };
    })
    .filter((event) => job === undefined || event.job === job);
}

const names = async (s: Scene, job = "AJ_1") => (await told(s, job)).map(({ event }) => event);
const last = async (s: Scene, job = "AJ_1") => (await told(s, job)).at(-1);

onEachRedis("events", (current) => {
  /** Somebody listens to the namespace. */
  const scene = () => {
    const s = current();
    s.listenMs = LISTEN_MS;
    return s;
  };
  /** With a worker that takes one job at a time. */
  const withWorker = async (session: string) => {
    const s = scene();
    await s.worker(session, 0, { cap: 1 });
    return s;
  };

  test("the life of a job: queued, offered, started, ended, each with what it is about", async () => {
    const s = await withWorker("AW_1");
    await s.order("AD_1", [{ ...newJob("AJ_1"), room_sid: "RM_1" }]);
    const queuedAtMs = s.nowMs;
    s.pass(10);
    await s.admit("AJ_1");
    s.pass(10);
    await s.accept("AJ_1", "AW_1", 1);
    const startedAtMs = s.nowMs;
    await s.seen("AJ_1", "AW_1", 1);
    s.pass(10);
    await s.report("AJ_1", "AW_1", "running");
    await s.report("AJ_1", "AW_1", "success");
    const facts = {
      ...{ namespace: s.namespace, job: "AJ_1", order: "AD_1", type: "room", agentName: "agent" },
      ...{ deployment: "", room: "room", roomSid: "RM_1", wire: "AJ_1", fromWorker: "", error: "" },
      ...{ fromAgentName: "", fromDeployment: "", position: 0, estimatedWaitMs: 0, held: false },
    };
    const none = { worker: "", epoch: 0, attempts: 0, agentIdentity: "", startedAtMs: 0, endedAtMs: 0 };
    const open = { outcome: "", reason: "" };
    const held = { worker: "AW_1", epoch: 1, attempts: 1, agentIdentity: "agent-AJ_1", startedAtMs };
    expect((await told(s)).map(({ id: _, ...event }) => event)).toEqual([
      { ...facts, ...none, ...open, event: "queued", atMs: queuedAtMs, state: "queued" },
      {
        ...{ ...facts, ...none, ...open, event: "offered", atMs: queuedAtMs + 10, state: "offered" },
        ...{ worker: "AW_1", epoch: 1 },
      },
      {
        ...{ ...facts, ...none, ...open, ...held },
        ...{ event: "started", atMs: startedAtMs, state: "starting" },
      },
      {
        ...{ ...facts, ...held, event: "ended", atMs: s.nowMs, state: "ended", endedAtMs: s.nowMs },
        ...{ outcome: "success", reason: "reported" },
      },
    ]);
  });

  test("nothing is told when nobody listens, and nothing is kept of it", async () => {
    const s = current();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.report("AJ_1", "AW_1", "success");
    await s.openOrder("AD_2");
    await s.extend("AD_2", [newJob("AJ_2")]);
    await s.simulate("AJ_3", "AW_1");
    expect(await s.rest()).toEqual({ status: "busy", queued: 0, told: 0 });
    const keys = [outboxOf(s), `muster:{${s.namespace}}:listening`];
    expect(await s.redis.exists(...keys)).toBe(0);
  });

  test("what begins while somebody listens is told to its end by whoever changes it", async () => {
    const s = current();
    await s.worker("AW_1");
    await s.order("AD_1");
    s.listenMs = LISTEN_MS;
    // A look of the dispatcher says it too, as it knows of a stream that was opened just now.
    await s.rest();
    await s.admit("AJ_1");
    expect(await names(s)).toEqual(["offered"]);
  });

  test("who knows of a listener for a shorter time does not shorten what was said before", async () => {
    const s = scene();
    await s.order("AD_1");
    s.listenMs = 1_000;
    await s.order("AD_2");
    await s.rest();
    s.listenMs = 0;
    await s.order("AD_3");
    expect(await s.redis.pttl(`muster:{${s.namespace}}:listening`)).toBeGreaterThan(LISTEN_MS / 2);
    expect(await told(s)).toHaveLength(3);
  });

  test("jobs for participants, and those that workers ask for, are queued like others", async () => {
    const s = await withWorker("AW_1");
    await s.openOrder("AD_1");
    expect(await told(s)).toEqual([]);
    const job = { ...newJob("AJ_1", "participant/agent/blue"), type: "participant" as const };
    await s.extend("AD_1", [job], "RM_1");
    await s.extend("AD_1", [job], "RM_1");
    await s.simulate("AJ_2", "AW_1");
    await s.simulate("AJ_2", "AW_1");
    expect(await told(s)).toMatchObject([
      {
        event: "queued",
        job: "AJ_1",
        order: "AD_1",
        type: "participant",
        deployment: "blue",
        roomSid: "RM_1",
      },
      { event: "queued", job: "AJ_2", order: "", room: "room" },
    ]);
  });

  test.each(["rejected", "silent", "undelivered"])("an offer that came to nothing: %s", async (reason) => {
    const s = await withWorker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    for (let time = 0; time < 2; time++) await s.reject("AJ_1", "AW_1", epoch, reason);
    expect(await names(s)).toEqual(["queued", "offered", "rejected"]);
    expect(await last(s)).toMatchObject({ state: "queued", reason, worker: "AW_1", epoch: 1 });
  });

  test("a refusal for all others too ends the job", async () => {
    const s = await withWorker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    for (let time = 0; time < 2; time++) await s.reject("AJ_1", "AW_1", epoch, "rejected", true);
    expect(await names(s)).toEqual(["queued", "offered", "rejected", "ended"]);
    expect((await told(s))[2]).toMatchObject({ state: "ended", outcome: "success", reason: "rejected" });
    expect(await last(s)).toMatchObject({ outcome: "success", reason: "terminated_by_worker" });
  });

  test("an offer that nobody answered, and one whose worker went, are rejected without its word", async () => {
    const s = await withWorker("AW_1");
    await s.offered("AJ_1", "AW_1");
    s.pass(OFFER_MS);
    for (let time = 0; time < 2; time++) await s.expireJob("AJ_1");
    expect(await last(s)).toMatchObject({ event: "rejected", reason: "unanswered", worker: "AW_1" });
    await s.offered("AJ_2", "AW_1");
    for (let time = 0; time < 2; time++) await s.deregister("AW_1");
    expect(await last(s, "AJ_2")).toMatchObject({ event: "rejected", reason: "undelivered", worker: "AW_1" });
  });

  test("a job that waits says how many stand before it; looked at again, it says nothing new", async () => {
    const s = scene();
    for (const [at, job] of ["AJ_1", "AJ_2", "AJ_3"].entries()) {
      await s.order(job.replace("AJ", "AD"), [newJob(job)], { priority: at === 2 ? 1 : 0 });
      s.pass(1);
      for (let time = 0; time < 2; time++) await s.admit(job);
    }
    const parked = (await told(s)).filter(({ event }) => event === "parked");
    expect(parked.map(({ job, position }) => [job, position])).toEqual([
      ["AJ_1", 0],
      ["AJ_2", 1],
      ["AJ_3", 0],
    ]);
    expect(parked[0]).toMatchObject({ state: "parked", worker: "" });
  });

  test("accepted again, or too late, is told once", async () => {
    const s = await withWorker("AW_1");
    const epoch = await s.offered("AJ_1", "AW_1");
    for (let time = 0; time < 2; time++) await s.accept("AJ_1", "AW_1", epoch);
    await s.accept("AJ_1", "AW_other", epoch);
    expect(await names(s)).toEqual(["queued", "offered", "started"]);
  });

  test.each([
    {
      name: "it failed, as its worker says",
      reason: "failed",
      attempts: 1,
      error: "boom",
      happen: (s: Scene) => s.report("AJ_1", "AW_1", "failed"),
    },
    {
      name: "its agent left without meaning to",
      reason: "agent_left",
      attempts: 1,
      error: "the agent left the room without meaning to",
      async happen(s: Scene) {
        await s.agentJoined("AJ_1", "PA_1");
        await s.agentLeft("AJ_1", "PA_1", "failed");
        s.pass(STOP_MS);
        return s.expireJob("AJ_1");
      },
    },
    {
      name: "its worker is lost",
      reason: "worker_lost",
      attempts: 0,
      error: "",
      async happen(s: Scene) {
        await s.deregister("AW_1");
        return s.settle("AJ_1", 1, "absent");
      },
    },
    {
      name: "its assignment never left",
      reason: "undelivered",
      attempts: 0,
      error: "",
      // Its start is not yet seen.
      starting: true,
      happen: (s: Scene) => s.withdraw("AJ_1", "AW_1", 1),
    },
    {
      name: "it was never seen to start",
      reason: "never_started",
      attempts: 1,
      error: "",
      starting: true,
      async happen(s: Scene) {
        s.pass(START_MS);
        return s.expireJob("AJ_1");
      },
    },
  ])("given to another: $name", async ({ reason, attempts, error, starting, happen }) => {
    const s = current();
    await s.reporter("AW_1");
    s.listenMs = LISTEN_MS;
    await (starting ? s.starting("AJ_1", "AW_1") : s.running("AJ_1", "AW_1"));
    await happen(s);
    await happen(s);
    expect(await names(s)).toEqual(["queued", "offered", "started", "redispatched"]);
    expect(await last(s)).toMatchObject({ state: "queued", worker: "", fromWorker: "AW_1" });
    expect(await last(s)).toMatchObject({ reason, attempts, error, wire: "AJ_1", epoch: 1 });
  });

  test("a worker that is back on another session brings its jobs along; a half-open one too", async () => {
    const s = scene();
    await s.worker("AW_1");
    await s.running("AJ_1", "AW_1");
    await s.deregister("AW_1");
    await s.worker("AW_2");
    for (let time = 0; time < 2; time++) await s.migrate("AW_2", "AJ_1");
    expect(await last(s)).toMatchObject({ event: "migrated", worker: "AW_2", fromWorker: "AW_1", epoch: 2 });
    await s.worker("AW_3");
    await s.migrate("AW_3", "AJ_1");
    expect(await last(s)).toMatchObject({ event: "migrated", worker: "AW_3", fromWorker: "AW_2", epoch: 3 });
    expect(await names(s)).toEqual(["queued", "offered", "started", "migrated", "migrated"]);
  });

  test("a job that Redis forgot was accepted starts when its gateway, or its worker, says that it runs", async () => {
    const s = await withWorker("AW_1");
    await s.offered("AJ_1", "AW_1");
    const held = { job: "AJ_1", epoch: 1, session: "AW_1", wire: "AJ_1" };
    for (let time = 0; time < 2; time++) await s.assert([held]);
    expect(await names(s)).toEqual(["queued", "offered", "started"]);
    expect(await last(s)).toMatchObject({ worker: "AW_1", state: "running", startedAtMs: s.nowMs });
    // A newer epoch on the same session is no other worker.
    await s.assert([{ ...held, epoch: 2 }]);
    expect(await names(s)).toHaveLength(3);
  });

  test("a job that Redis forgot altogether was told of before", async () => {
    const s = scene();
    await s.order("AD_other");
    await s.worker("AW_1");
    await s.restore("AJ_1", "AW_1");
    expect(await told(s, "AJ_1")).toEqual([]);
    await s.report("AJ_1", "AW_1", "success");
    expect(await names(s)).toEqual(["ended"]);
  });

  test("a job that nobody took in time expires, and then has ended", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.admit("AJ_1");
    s.pass(WAIT_MS);
    for (let time = 0; time < 2; time++) await s.expireJob("AJ_1");
    expect(await names(s)).toEqual(["queued", "parked", "expired", "ended"]);
    const facts = { state: "ended", outcome: "expired", reason: "waited_too_long", endedAtMs: s.nowMs };
    expect((await told(s)).slice(2)).toMatchObject([facts, facts]);
  });

  test.each([
    ["terminated", "canceled", (s: Scene) => s.terminate("AJ_1")],
    ["order_deleted", "canceled", (s: Scene) => s.deleteOrder("AD_1")],
    ["room_finished", "success", (s: Scene) => s.endJob("AJ_1")],
    ["reported", "failed", (s: Scene) => s.report("AJ_1", "AW_1", "failed")],
    ["goodbye", "success", (s: Scene) => s.deregister("AW_1", true)],
  ])("ends once: %s", async (reason, outcome, end) => {
    const s = await withWorker("AW_1");
    await s.order("AD_1", [newJob("AJ_1")], { restart_policy: "never" });
    await s.admit("AJ_1");
    await s.accept("AJ_1", "AW_1", 1);
    for (let time = 0; time < 2; time++) await end(s);
    expect(await names(s)).toEqual(["queued", "offered", "started", "ended"]);
    expect(await last(s)).toMatchObject({ reason, outcome, worker: "AW_1", endedAtMs: s.nowMs });
  });

  test("the outbox is bounded, and the newest stay", async () => {
    const s = scene();
    const MANY = 11_000;
    const jobs = Array.from({ length: 1_000 }, (_, index) => index);
    for (let order = 0; order < MANY / 1_000; order++)
      await s.order(
        `AD_${order}`,
        jobs.map((index) => newJob(`AJ_${order}-${index}`)),
      );
    const length = await s.redis.xlen(outboxOf(s));
    expect(length).toBeGreaterThanOrEqual(10_000);
    expect(length).toBeLessThan(10_200);
    expect(await last(s, `AJ_${MANY / 1_000 - 1}-999`)).toMatchObject({ event: "queued" });
  });

  test("a namespace does not rest before its outbox was moved on; at rest nobody listens to it", async () => {
    const s = scene();
    await s.order("AD_1");
    await s.endJob("AJ_1");
    expect(await s.rest()).toEqual({ status: "busy", queued: 0, told: 2 });
    expect(await told(s)).toHaveLength(2);
    await s.redis.xtrim(outboxOf(s), "MAXLEN", 0);
    expect(await s.rest()).toEqual({ status: "resting", next: s.nowMs + RETAIN_MS });
    expect(await s.redis.exists(`muster:{${s.namespace}}:listening`)).toBe(0);
    // Its ids go on: who moved the last ones takes no new one for one of them.
    expect(await s.redis.exists(outboxOf(s))).toBe(1);
  });

  test("in random sequences each job tells a story that can be, of one beginning and one end", {
    timeout: 120_000,
  }, async () => {
    const seen = new Set<string>();
    const sequence = sequenceOf(80);
    const property = fc.asyncProperty(beginning, sequence, async (begin, ops) => {
      const own = new Scene(current().redis);
      // From the beginning: a job that comes back to a Redis which forgot it has then started.
      await own.redis.set(`muster:{${own.namespace}}:listening`, 1);
      const step = new ModelStep(own);
      await step.begin(begin.sessions, begin.jobs, false);
      for (const op of ops) await step.run(op);
      const events = await told(own);
      for (const { event } of events) seen.add(event);
      const states = new Map([...step.model.state.jobs].map(([id, { state }]) => [id, state]));
      expect(eventProblems(events, states)).toEqual([]);
      await forgetNamespace(own.redis, own.namespace);
    });
    await fc.assert(property, { numRuns: 160 });
    const all = "queued offered rejected parked started redispatched migrated ended fallback";
    for (const name of all.split(" ")) expect(seen).toContain(name);
  });
});
