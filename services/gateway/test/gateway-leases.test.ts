/** What a gateway asserts, and what it does when it was away: the ledger may have given up on its sessions. */
import { type Clock, systemClock } from "@muster/runtime/clock";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, expect, it } from "vitest";
import {
  API_KEY,
  type Bench,
  bench,
  cleanUp,
  type RunningGateway,
  recordingLog,
  stopRedis,
} from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

const leasesKey = (test: Bench) => `muster:{${test.namespace}}:gateways`;

async function assigned(test: Bench, gateway: RunningGateway) {
  const worker = await test.registered(gateway);
  const { job } = await test.dispatcher.order();
  await test.dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  worker.report(job, 1);
  await waitUntil("the job runs", async () => (await test.dispatcher.job(job)).state === "running");
  return { worker, job };
}

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

it("renews its lease where it has sessions, and only there", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600 } });
  const worker = await test.registered(gateway);
  const first = Number(await test.client.zscore(leasesKey(test), gateway.nodeId));
  await waitUntil(
    "it is renewed",
    async () => Number(await test.client.zscore(leasesKey(test), gateway.nodeId)) > first,
  );
  await worker.close();
  await waitUntil(
    "the session is gone",
    async () => (await test.dispatcher.session(worker.id)).id === undefined,
  );
  const renewed = gateway.counts.lease_renewed ?? 0;
  const other = await bench();
  await other.registered(gateway);
  await waitUntil("another namespace is renewed", () => (gateway.counts.lease_renewed ?? 0) > renewed + 2);
  const score = Number(await test.client.zscore(leasesKey(test), gateway.nodeId));
  expect(score).toBeLessThan(Number(await other.client.zscore(leasesKey(other), gateway.nodeId)));
});

it("registers its sessions again after a lapse, under their ids, and its jobs run again", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 900, sampleFlushMs: 20 } });
  const { worker, job } = await assigned(test, gateway);
  const idle = await test.registered(gateway);
  idle.sample({ status: 1, load: 0.9 });
  await waitUntil("it is full", async () => (await test.dispatcher.session(idle.id)).status === "full");

  await sweep(test, gateway);
  expect((await test.dispatcher.session(worker.id)).id).toBeUndefined();
  expect((await test.dispatcher.job(job)).state).toBe("orphaned");

  await waitUntil("the job runs again", async () => (await test.dispatcher.job(job)).state === "running");
  expect(await test.dispatcher.job(job)).toMatchObject({ session: worker.id, epoch: "1" });
  expect(await test.dispatcher.session(worker.id)).toMatchObject({ gateway: gateway.nodeId, agent: "agent" });
  // What the worker said last holds again, before it says it again.
  await waitUntil("it is full again", async () => (await test.dispatcher.session(idle.id)).status === "full");
  expect(gateway.counts.lease_lapsed).toBe(1);
  expect(gateway.counts.session_registered_again).toBe(2);
  expect(worker.count("termination")).toBe(0);
  expect(worker.isOpen && idle.isOpen).toBe(true);

  worker.report(job, 2);
  await waitUntil("the job ends", async () => (await test.dispatcher.job(job)).state === "ended");
});

it("does not close what a lapse swept when a load sample finds it first", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 30_000, sampleFlushMs: 20 } });
  const worker = await test.registered(gateway);
  await sweep(test, gateway);
  worker.sample({ load: 0.3 });
  await waitUntil(
    "it is registered again",
    async () => (await test.dispatcher.session(worker.id)).id === worker.id,
  );
  await waitUntil(
    "with its load",
    async () => Number((await test.dispatcher.session(worker.id)).load) > 0.29,
  );
  expect(worker.isOpen).toBe(true);
});

it("asserts its other sessions before a newcomer lengthens a lease that lapsed", async () => {
  const test = await bench();
  const leaseMs = 300;
  // Its turn to renew never comes, as in a process that was stopped for a while.
  const never = { ...systemClock, setTimer: skipping(leaseMs / 3) };
  const gateway = await test.start({ policy: { leaseMs }, clock: never });
  const old = await test.registered(gateway);
  const registeredAt = performance.now();
  await waitUntil("the lease has ended", () => performance.now() - registeredAt > leaseMs);
  await sweep(test, gateway);
  const fresh = await test.registered(gateway);
  await waitUntil("both are there", async () => {
    const ids = await test.client.zrange(`muster:{${test.namespace}}:sessions`, "0", "-1");
    return ids.includes(old.id) && ids.includes(fresh.id);
  });
  expect(gateway.counts.session_registered_again).toBe(1);
  expect(old.isOpen).toBe(true);
});

function skipping(skippedMs: number): Clock["setTimer"] {
  return (delayMs, run) => (delayMs === skippedMs ? () => {} : systemClock.setTimer(delayMs, run));
}

it("is not told to stop what is taken to be over by guess", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600 } });
  const guessed = await assigned(test, gateway);
  const over = await assigned(test, gateway);
  const { namespace, ledger } = test;
  const end = (job: string, cause: string) =>
    ledger.endJob({ namespace, job, outcome: "unknown", cause, message: "" });
  await end(guessed.job, "superseded");
  await end(over.job, "never_seen");
  const renewed = gateway.counts.lease_renewed ?? 0;
  expect((await over.worker.next("termination")).jobId).toBe(over.job);
  await waitUntil("both were asserted", () => (gateway.counts.lease_renewed ?? 0) > renewed + 2);
  for (const { worker } of [guessed, over]) await worker.ping();
  expect([guessed, over].map(({ worker }) => worker.count("termination"))).toEqual([0, 1]);
});

it("is told to stop what is held elsewhere by now", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600 } });
  const { worker, job } = await assigned(test, gateway);
  await test.client.hset(`muster:{${test.namespace}}:job:${job}`, "session", "AW_other", "epoch", "5");
  expect((await worker.next("termination")).jobId).toBe(job);
  const renewed = gateway.counts.lease_renewed ?? 0;
  await waitUntil("the lease was renewed twice", () => (gateway.counts.lease_renewed ?? 0) >= renewed + 2);
  expect(worker.count("termination")).toBe(1);
});

it("counts what the ledger has never heard of, and does nothing to it", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600 } });
  const { worker, job } = await assigned(test, gateway);
  await test.client.del(`muster:{${test.namespace}}:job:${job}`);
  await waitUntil("it was counted", () => (gateway.counts.held_unknown ?? 0) > 0);
  await worker.ping();
  expect(worker.count("termination")).toBe(0);
  expect(worker.isOpen).toBe(true);
});

it("makes no offer while its lease is in doubt: it asserts first, and a yes that comes too late is none", async () => {
  const test = await bench();
  const leaseMs = 300;
  const never = { ...systemClock, setTimer: skipping(leaseMs / 3) };
  const gateway = await test.start({ policy: { leaseMs }, clock: never });
  const worker = await test.registered(gateway);
  const { job } = await test.dispatcher.order();
  const registeredAt = performance.now();
  await waitUntil("the lease has ended", () => performance.now() - registeredAt > leaseMs);
  await sweep(test, gateway);
  const offer = { ...offerOfNobody(test.namespace), session: worker.id, job, wire: job };
  await test.dispatcher.send(gateway.nodeId, offer);
  await worker.next("availability");
  expect(gateway.counts.offer_held).toBe(1);
  expect(gateway.counts.session_registered_again).toBe(1);
  expect((await test.dispatcher.session(worker.id)).id).toBe(worker.id);
  worker.accept(job);
  await waitUntil("the answer was stale", () => gateway.counts["offer_ended.stale"] === 1);
  await worker.ping();
  expect(worker.count("assignment")).toBe(0);
  expect((await test.dispatcher.job(job)).state).toBe("queued");
});

function offerOfNobody(namespace: string) {
  const texts = { order: "", room: "room", roomSid: "", roomInfo: "", participantInfo: "", metadata: "" };
  const names = { agentName: "agent", deployment: "", attributes: {} };
  const numbers = { epoch: 1, resuming: false, offeredAtMs: 0, priority: 0, maxAttempts: 3 };
  return { kind: "offer", type: "room", restartPolicy: "never", namespace, ...texts, ...names, ...numbers };
}

it("passes on what a worker said while it was swept", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 30_000 } });
  const { worker, job } = await assigned(test, gateway);
  await sweep(test, gateway);
  worker.report(job, 2);
  await waitUntil("the job ended", async () => (await test.dispatcher.job(job)).state === "ended");
  expect(await test.dispatcher.job(job)).toMatchObject({ outcome: "success", cause: "reported" });
});

it("keeps the newest load of each worker while Redis is away, and no other", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { sampleFlushMs: 20 } });
  const workers = [await test.registered(gateway), await test.registered(gateway)];
  test.redis.freeze();
  try {
    for (let load = 0; load <= 500; load++)
      for (const worker of workers) worker.sample({ load: load / 1_000 });
    await Promise.all(workers.map((worker) => worker.ping()));
  } finally {
    test.redis.thaw();
  }
  for (const worker of workers) {
    await waitUntil("its newest load is written", async () => {
      const { load } = await test.dispatcher.session(worker.id);
      return Math.abs(Number(load) - 0.5) < 0.001;
    });
  }
  expect(gateway.counts.samples_written).toBeLessThanOrEqual(3 * workers.length);
});

it("says whose workers vanished when so many do at once that the guard goes up", async () => {
  const test = await bench();
  const { log, text } = recordingLog();
  const gateway = await test.start({ log });
  const workers = await Promise.all([1, 2, 3, 4].map(() => test.registered(gateway, "greeter")));
  // As when they had been there for a minute: a crash loop raises no guard.
  for (const { id } of workers)
    await test.client.hset(`muster:{${test.namespace}}:session:${id}`, "connected_at", Date.now() - 60_000);
  for (const worker of workers.slice(1)) worker.cut();
  await waitUntil("the guard is up", () => gateway.counts.guard_raised === 1);
  const lines = text()
    .split("\n")
    .filter((line) => line.includes("many sessions vanished at once"))
    .map((line) => JSON.parse(line) as object);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ namespace: test.namespace, agent: "greeter", apiKey: API_KEY });
  expect(lines[0]).toMatchObject({ pool: expect.stringContaining("greeter") });
});
