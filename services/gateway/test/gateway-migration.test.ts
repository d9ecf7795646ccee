/** A worker comes back on a new socket with the jobs that it still runs. */
import { type Clock, systemClock } from "@muster/runtime/clock";
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  type Bench,
  bench,
  cleanUp,
  type RunningGateway,
  stopRedis,
  TRANSPORT_KINDS,
} from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

/** Gives the only worker of its agent a job. */
async function give(test: Bench, worker: WorkerClient, agentName = "agent"): Promise<string> {
  worker.sample({ load: 0.1 });
  const { job } = await test.dispatcher.order({ agentName });
  const { wire } = await waitUntil("the job is offered", () => test.dispatcher.offer(job));
  await waitUntil("the worker was asked", () =>
    worker.received.some((message) => message.case === "availability" && message.value.job?.id === wire),
  );
  worker.accept(wire);
  await waitUntil("the worker has it", () =>
    worker.received.some((message) => message.case === "assignment" && message.value.job?.id === wire),
  );
  worker.report(wire, 1);
  await waitUntil("it runs", async () => (await test.dispatcher.job(job)).state === "running");
  return job;
}

async function cutAndOrphaned(test: Bench, worker: WorkerClient, ...jobs: string[]): Promise<void> {
  worker.cut();
  for (const job of jobs)
    await waitUntil(
      "the job is an orphan",
      async () => (await test.dispatcher.job(job)).state === "orphaned",
    );
}

const hints = (test: Bench, kind: string) => test.dispatcher.told.filter((message) => message.kind === kind);

/** As a dispatcher does that knows the participant to be gone: the job is to run elsewhere. */
async function resume(test: Bench, job: string): Promise<void> {
  const { epoch } = await test.dispatcher.job(job);
  const reply = await test.ledger.settleOrphan({
    deserted: false,
    removeMs: 0,
    namespace: test.namespace,
    job,
    epoch: Number(epoch),
    verdict: "absent",
    resumeUnproven: true,
    recheckMs: 30_000,
    startMs: 0,
    silentMs: 60_000,
  });
  expect(reply.status).toBe("resumed");
}

async function terminations(worker: WorkerClient): Promise<string[]> {
  await worker.ping();
  return worker.received.flatMap((message) => (message.case === "termination" ? [message.value.jobId] : []));
}

describe.each(TRANSPORT_KINDS)("a worker that comes back, on %s", (transport) => {
  it("is the holder of its orphans again, behind the reports that it sent first", async () => {
    const test = await bench();
    const gateway = await test.start({ transport, policy: { leaseMs: 600 } });
    const worker = await test.registered(gateway);
    const [kept, done] = [await give(test, worker), await give(test, worker)];
    await cutAndOrphaned(test, worker, kept, done);
    await waitUntil("the dispatcher is told of both", () =>
      [kept, done].every((job) => hints(test, "orphan").some((hint) => "job" in hint && hint.job === job)),
    );

    const again = await test.registered(gateway);
    again.report(done, 2);
    again.migrate([kept, done]);
    await waitUntil("it is the holder", async () => (await test.dispatcher.job(kept)).session === again.id);
    expect(await test.dispatcher.job(kept)).toMatchObject({ state: "running", epoch: "2", wire: kept });
    expect(await test.dispatcher.job(done)).toMatchObject({ state: "ended", outcome: "success" });
    expect(await terminations(again)).toContain(done);
    expect(gateway.counts).toMatchObject({ migration_asked: 2, migration_moved: 1, migration_stopped: 1 });

    // Asserted from now on, and its reports and stops are this session's.
    const renewed = gateway.counts.lease_renewed ?? 0;
    await waitUntil("the lease was renewed twice", () => (gateway.counts.lease_renewed ?? 0) >= renewed + 2);
    expect(await terminations(again)).not.toContain(kept);
    await test.ledger.terminateJob({
      namespace: test.namespace,
      cause: "terminated",
      job: kept,
      reason: "enough",
      stopMs: 20_000,
      removeMs: 0,
    });
    await waitUntil("it is told to stop", async () => (await terminations(again)).includes(kept));
  });

  it("takes its jobs from its half-open socket, which is closed with 4410", async () => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const old = await test.registered(gateway);
    const [kept, left] = [await give(test, old), await give(test, old)];
    const again = await test.registered(gateway);
    again.migrate([kept]);
    expect(await old.closed()).toEqual({ code: 4410, reason: "session replaced" });
    expect(await test.dispatcher.job(kept)).toMatchObject({
      state: "running",
      session: again.id,
      epoch: "2",
    });
    expect((await test.dispatcher.job(left)).state).toBe("orphaned");
    await waitUntil("presence is asked", () =>
      hints(test, "orphan").some((m) => m.kind === "orphan" && m.job === left),
    );
    expect(hints(test, "orphan")).not.toContainEqual({ kind: "orphan", job: kept });
    expect(await terminations(again)).toEqual([]);
    expect(gateway.counts.half_open_closed).toBe(1);
  });

  it("has its half-open socket closed by the gateway that has it", async () => {
    const test = await bench();
    const [first, second] = [await test.start({ transport }), await test.start({ transport })];
    const old = await test.registered(first);
    const job = await give(test, old);
    const again = await test.registered(second);
    again.migrate([job]);
    expect((await old.closed()).code).toBe(4410);
    expect(await test.dispatcher.job(job)).toMatchObject({ session: again.id, gateway: second.nodeId });
    expect(first.counts.half_open_closed).toBe(1);
    again.report(job, 2);
    await waitUntil("its report counts", async () => (await test.dispatcher.job(job)).state === "ended");
  });
});

it("is told to stop what runs elsewhere since, and nothing of what is not its own", async () => {
  const test = await bench();
  // A stop is told again with every renewal until it is confirmed: none falls into this test.
  const gateway = await test.start({ policy: { leaseMs: 30_000 } });
  const worker = await test.registered(gateway);
  const job = await give(test, worker);
  await cutAndOrphaned(test, worker, job);
  await resume(test, job);
  const other = await test.registered(gateway);
  await waitUntil("it is offered anew", () => test.dispatcher.offer(job));
  expect((await other.next("availability")).job?.id).toBe(`${job}.2`);
  other.accept(`${job}.2`);
  await other.next("assignment");
  const stranger = await test.registered(gateway, "stranger");
  const theirs = await give(test, stranger, "stranger");

  const again = await test.registered(gateway);
  again.migrate([job, theirs, "AJ_unknown", "AD_.x"]);
  await waitUntil("it was answered", () => gateway.counts.migration_stopped === 1);
  expect(await terminations(again)).toEqual([job]);
  expect(gateway.counts.migration_refused).toBe(3);
  expect(again.received.map((message) => message.case)).toEqual(["register", "termination", "pong"]);
  expect(await test.dispatcher.job(job)).toMatchObject({ session: other.id, epoch: "2" });
  expect(await test.dispatcher.job(theirs)).toMatchObject({ session: stranger.id, epoch: "1" });
});

it("may name many jobs at once, of which more than one call takes", async () => {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  const job = await give(test, worker);
  await cutAndOrphaned(test, worker, job);
  const again = await test.registered(gateway);
  const unknown = Array.from({ length: 600 }, (_, index) => `AJ_${index}`);
  again.migrate([...unknown, job, job]);
  await waitUntil("it is the holder", async () => (await test.dispatcher.job(job)).session === again.id);
  expect(gateway.counts).toMatchObject({ migration_moved: 1, migration_refused: 600 });
});

it("gets its jobs once Redis is back, and once only", async () => {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  const job = await give(test, worker);
  await cutAndOrphaned(test, worker, job);
  const again = await test.registered(gateway);
  test.redis.freeze();
  again.migrate([job]);
  again.migrate([job]);
  await again.ping();
  test.redis.thaw();
  await waitUntil("both are answered", () => gateway.counts.migration_moved === 2);
  expect(await test.dispatcher.job(job)).toMatchObject({ session: again.id, epoch: "2", state: "running" });
});

it("is registered again before its jobs move when its session was swept", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 30_000 } });
  const worker = await test.registered(gateway);
  const job = await give(test, worker);
  await cutAndOrphaned(test, worker, job);
  const again = await test.registered(gateway);
  await sweep(test, gateway);
  again.migrate([job]);
  await waitUntil("it is the holder", async () => (await test.dispatcher.job(job)).session === again.id);
  expect(again.isOpen).toBe(true);
  expect((await test.dispatcher.session(again.id)).id).toBe(again.id);
});

it("has its gateway's lease renewed before its jobs move to it", async () => {
  const test = await bench();
  const leaseMs = 1_500;
  // Its turn to renew never comes, as in a process that was stopped for a while.
  const clock: Clock = {
    ...systemClock,
    setTimer: (ms, run) => (ms === leaseMs / 3 ? () => {} : systemClock.setTimer(ms, run)),
  };
  const gateway = await test.start({ policy: { leaseMs }, clock });
  const worker = await test.registered(gateway);
  const job = await give(test, worker);
  await cutAndOrphaned(test, worker, job);
  const again = await test.registered(gateway);
  const leases = `muster:{${test.namespace}}:gateways`;
  await waitUntil(
    "the lease has ended, and nobody has swept it",
    async () => Number(await test.client.zscore(leases, gateway.nodeId)) < Date.now(),
  );
  again.migrate([job]);
  await waitUntil("it is the holder", async () => (await test.dispatcher.job(job)).session === again.id);
  // Under a lease that has ended, whoever looks next would make an orphan of what just came back.
  const { namespace } = test;
  const times = { graceMs: 35_000, guardMs: 5_000, awakeSinceMs: 0, holdMs: 0, limit: 100 };
  const looked = await test.ledger.expireGateway({ namespace, gateway: gateway.nodeId, ...times });
  expect(looked.status).toBe("idle");
  expect(await test.dispatcher.job(job)).toMatchObject({ state: "running", epoch: "2" });
});

it("is told to stop what it says it runs and what is over or runs elsewhere, in its own pool alone", async () => {
  const test = await bench();
  // A stop is told again with every renewal until it is confirmed: none falls into this test.
  const gateway = await test.start({ policy: { leaseMs: 30_000 } });
  const worker = await test.registered(gateway);
  const job = await give(test, worker);
  await cutAndOrphaned(test, worker, job);
  await resume(test, job);
  const other = await test.registered(gateway);
  await waitUntil("it is offered anew", () => test.dispatcher.offer(job));
  await other.next("availability");
  other.accept(`${job}.2`);
  await other.next("assignment");

  const ghost = await test.registered(gateway);
  const stranger = await test.registered(gateway, "stranger");
  for (const client of [ghost, stranger]) client.report(job, 1);
  // The present holder's own id, on a socket that is not its holder's: half-open, maybe; a migration will tell.
  ghost.report(`${job}.2`, 1);
  await waitUntil("all were refused", () => gateway.counts["report_refused.held_elsewhere"] === 3);
  await waitUntil("the ghost is stopped", async () => (await terminations(ghost)).length > 0);
  expect(await terminations(ghost)).toEqual([job]);
  expect(await terminations(stranger)).toEqual([]);
  expect(gateway.counts.ghost_stopped).toBe(1);
  expect(await test.dispatcher.job(job)).toMatchObject({ session: other.id, wire: `${job}.2` });
});

it("tells with its metrics what happened", async () => {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  const job = await give(test, worker);
  await cutAndOrphaned(test, worker, job);
  const again = await test.registered(gateway);
  again.migrate([job, "AJ_unknown"]);
  await waitUntil("it was answered", () => gateway.counts.migration_moved === 1);
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  for (const line of ["migration_moved", "migration_refused", "job_orphaned"])
    expect(text).toContain(`muster_gateway_events_total{event="${line}"} 1\n`);
  expect(text).toContain('muster_gateway_events_total{event="migration_stopped"} 0\n');
});

/** As a dispatcher does when a gateway's lease in a namespace has ended. */
async function sweep(test: Bench, gateway: RunningGateway): Promise<void> {
  const reply = await test.ledger.expireGateway({
    namespace: test.namespace,
    gateway: gateway.nodeId,
    graceMs: 35_000,
    guardMs: 5_000,
    awakeSinceMs: 0,
    holdMs: 0,
    limit: 100,
    nowMs: Date.now() + 3_600_000,
  });
  expect(reply.status).toBe("lost");
}
