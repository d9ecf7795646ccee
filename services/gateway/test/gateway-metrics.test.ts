/** What a gateway measures: how long dispatches took, who is here, what its workers hold, and how jobs ended. */
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, expect, it } from "vitest";
import { bench, cleanUp, stopRedis } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

async function setUp() {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  /** Offered to the worker, which says yes and is assigned it. */
  const assign = async (of: WorkerClient = worker) => {
    const { job } = await test.dispatcher.order({ restartPolicy: "never" });
    const offer = await test.dispatcher.offer(job);
    await of.next("availability");
    of.accept(offer.wire);
    await of.next("assignment");
    return job;
  };
  const metric = (line: string) => gateway.metric(line);
  return { test, gateway, worker, assign, metric };
}

it("times a dispatch from the order to the assignment, and its stages", async () => {
  const { worker, assign, metric } = await setUp();
  expect(await metric('dispatch_duration_seconds_count{path="direct"}')).toBe(0);
  const job = await assign();
  expect(await metric('dispatch_duration_seconds_count{path="direct"}')).toBe(1);
  expect(await metric('dispatch_duration_seconds_count{path="waited"}')).toBe(0);
  expect(await metric('dispatch_duration_seconds_bucket{le="5",path="direct"}')).toBe(1);
  for (const stage of ["offer", "assign"])
    expect(await metric(`dispatch_stage_duration_seconds_count{stage="${stage}"}`)).toBe(1);
  expect(await metric('dispatch_stage_duration_seconds_count{stage="first_status"}')).toBe(0);
  worker.report(job, 1);
  worker.report(job, 2);
  await waitUntil(
    "the first report is timed",
    async () => (await metric('dispatch_stage_duration_seconds_count{stage="first_status"}')) === 1,
  );
  await waitUntil("the job ended", async () => (await metric('jobs_ended_total{outcome="success"}')) === 1);
  expect(await metric('dispatch_stage_duration_seconds_count{stage="first_status"}')).toBe(1);
});

it("counts no dispatch of a job that a worker had before, nor one whose sender says nothing of it", async () => {
  const { test, gateway, worker, metric } = await setUp();
  const { job } = await test.dispatcher.order();
  const reply = await test.ledger.admit({
    namespace: test.namespace,
    job,
    offerMs: 5_000,
    retryMs: 500,
    scan: 32,
  });
  if (reply.status !== "offered") throw new Error(reply.status);
  const { job: record } = reply;
  await test.dispatcher.send(gateway.nodeId, {
    ...{ kind: "offer", namespace: test.namespace, session: record.session, job, wire: job, epoch: 1 },
    ...{ order: record.order, type: "room", room: "room", roomSid: "", roomInfo: "", participantInfo: "" },
    ...{ metadata: "", attributes: {}, agentName: "agent", deployment: "", priority: 0, maxAttempts: 3 },
    ...{ restartPolicy: "never", resuming: false, offeredAtMs: Number(record.offered_at) },
  });
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  expect(await metric("jobs_assigned_total")).toBe(1);
  expect(await metric('dispatch_duration_seconds_count{path="direct"}')).toBe(0);
  expect(await metric('dispatch_duration_seconds_count{path="waited"}')).toBe(0);
});

it("tells who is here and what they hold, and what loads they report", async () => {
  const { test, gateway, worker, assign, metric } = await setUp();
  await test.registered(gateway, "another");
  await assign();
  expect(await metric('sessions{status="available"}')).toBe(2);
  expect(await metric("jobs_held")).toBe(1);
  worker.sample({ load: 0.55, status: 1 });
  await waitUntil("it is full", async () => (await metric('sessions{status="full"}')) === 1);
  expect(await metric('sessions{status="available"}')).toBe(1);
  expect(await metric('worker_load_ratio_bucket{le="0.5"}')).toBe(0);
  expect(await metric('worker_load_ratio_bucket{le="0.6"}')).toBe(1);
  worker.cut();
  await waitUntil("it is gone", async () => (await metric('sessions{status="full"}')) === 0);
  expect(await metric("jobs_held")).toBe(0);
});

it("counts a job that its worker refuses for good apart from successes", async () => {
  const { test, worker, metric } = await setUp();
  const { job } = await test.dispatcher.order();
  await test.dispatcher.offer(job);
  await worker.next("availability");
  worker.reject(job, { terminate: true });
  const refused = () => metric('jobs_ended_total{outcome="terminated_by_worker"}');
  await waitUntil("it is counted", async () => (await refused()) === 1);
  expect((await metric('jobs_ended_total{outcome="success"}')) ?? 0).toBe(0);
});

it("counts jobs that failed, and yeses that came too late to count", async () => {
  const { test, worker, assign, metric } = await setUp();
  const job = await assign();
  worker.report(job, 3, "it broke");
  await waitUntil("it is counted", async () => (await metric('jobs_ended_total{outcome="failed"}')) === 1);
  const other = await test.dispatcher.order();
  const offer = await test.dispatcher.offer(other.job);
  await worker.next("availability");
  const { namespace } = test;
  const ended = { cause: "terminated", reason: "", stopMs: 1_000, removeMs: 0 };
  await test.ledger.terminateJob({ namespace, job: other.job, ...ended });
  worker.accept(offer.wire);
  await waitUntil(
    "it is counted",
    async () => (await metric('duplicates_prevented_total{by="stale_answer"}')) === 1,
  );
  expect(await metric("jobs_assigned_total")).toBe(1);
});
