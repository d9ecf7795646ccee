/** A session goes on when the token that opened it is over, until no call is hurt by asking for a new one. */
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, expect, it } from "vitest";
import { agentToken, type Bench, bench, cleanUp, type RunningGateway, stopRedis } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

/** Of token-ends.ts. */
const LOOK_EVERY_MS = 1_000;
const HOUR_MS = 3_600_000;
/** Within the minute by which clocks may differ, so that the socket is opened. */
const OVER_SINCE_MS = 30_000;

async function registered(test: Bench, gateway: RunningGateway, endsInMs: number): Promise<WorkerClient> {
  const token = agentToken({ nowMs: Date.now() + endsInMs - HOUR_MS, ttlMs: HOUR_MS });
  const worker = await test.worker(gateway, { token });
  await worker.register({ agentName: "agent", namespace: test.field });
  return worker;
}

async function runsJob(test: Bench, worker: WorkerClient): Promise<string> {
  const { job } = await test.dispatcher.order();
  await test.dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  worker.report(job, 1);
  await waitUntil("it runs", async () => (await test.dispatcher.job(job)).state === "running");
  return job;
}

it("does not take those that it closes for workers that vanished", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { tokenGraceMs: 0 } });
  const workers = await Promise.all(
    Array.from({ length: 6 }, () => registered(test, gateway, -OVER_SINCE_MS)),
  );
  for (const worker of workers) await worker.closed();
  await waitUntil("none is in the ledger", async () => {
    const found = await Promise.all(workers.map(({ id }) => test.dispatcher.session(id)));
    return found.every(({ id }) => id === undefined);
  });
  expect(gateway.counts.guard_raised ?? 0).toBe(0);
});

it("closes an idle one with 4401; whose token is good stays", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { tokenGraceMs: 0 } });
  const good = await registered(test, gateway, HOUR_MS);
  const over = await registered(test, gateway, -OVER_SINCE_MS);
  expect(await over.closed()).toEqual({
    code: 4401,
    reason: "the token that opened this socket has expired; dial again with a fresh one",
  });
  await waitUntil(
    "it is no longer in the ledger",
    async () => (await test.dispatcher.session(over.id)).id === undefined,
  );
  await good.ping();
  expect(await gateway.metric('gateway_events_total{event="token_expired"}')).toBe(1);
});

it("offers a busy one no more, whatever it says, and closes it when its job is done", async () => {
  const test = await bench();
  // With a token that is good until it has its job, on a clock of its own.
  const clock = clockAhead();
  const gateway = await test.start({ clock, policy: { tokenGraceMs: 0 } });
  const worker = await registered(test, gateway, HOUR_MS);
  const job = await runsJob(test, worker);
  clock.aheadMs = HOUR_MS + 1_000;
  const draining = async () => (await test.dispatcher.session(worker.id)).draining === "1";
  await waitUntil("the ledger offers it nothing", draining);
  worker.sample({ status: 0, load: 0.1, jobCount: 1 });
  await waitUntil(
    "its report is written",
    async () => Number((await test.dispatcher.session(worker.id)).load) > 0.05,
  );
  expect(await draining()).toBe(true);
  expect((await test.dispatcher.job(job)).state).toBe("running");
  expect(worker.isOpen).toBe(true);
  worker.report(job, 2);
  expect((await worker.closed()).code).toBe(4401);
  expect((await test.dispatcher.job(job)).outcome).toBe("success");
});

it("leaves a busy one in its pool for its grace", async () => {
  const test = await bench();
  const clock = clockAhead();
  const gateway = await test.start({ clock, policy: { tokenGraceMs: HOUR_MS } });
  const worker = await registered(test, gateway, HOUR_MS);
  await runsJob(test, worker);
  // Later than its turn may be, and earlier than the end of its grace in any case.
  clock.aheadMs = HOUR_MS + 0.49 * HOUR_MS;
  const before = clock.looks;
  await waitUntil("it was looked at", () => clock.looks >= before + 2);
  worker.sample({ status: 0, load: 0.1, jobCount: 1 });
  await waitUntil(
    "its report is written",
    async () => Number((await test.dispatcher.session(worker.id)).load) > 0.05,
  );
  await runsJob(test, worker);
  expect(worker.isOpen).toBe(true);
});

it("does not close at once those whose tokens end together", async () => {
  const test = await bench();
  const clock = clockAhead();
  const gateway = await test.start({ clock, policy: { tokenGraceMs: HOUR_MS } });
  const workers = await Promise.all(Array.from({ length: 24 }, () => registered(test, gateway, HOUR_MS)));
  clock.aheadMs = HOUR_MS + 0.25 * HOUR_MS;
  const before = clock.looks;
  await waitUntil("all were looked at", () => clock.looks >= before + 2);
  const open = workers.filter(({ isOpen }) => isOpen).length;
  expect(open).toBeGreaterThan(0);
  expect(open).toBeLessThan(workers.length);
  clock.aheadMs = HOUR_MS + 0.5 * HOUR_MS + 2_000;
  for (const worker of workers) expect((await worker.closed()).code).toBe(4401);
});

it("closes in the end also one that never is without a job, and its job goes on", async () => {
  const test = await bench();
  const clock = clockAhead();
  const gateway = await test.start({ clock, policy: { tokenGraceMs: 0 } });
  const worker = await registered(test, gateway, HOUR_MS);
  const job = await runsJob(test, worker);
  clock.aheadMs = HOUR_MS + 16 * 60_000;
  expect((await worker.closed()).code).toBe(4401);
  await waitUntil("its job waits for it", async () => (await test.dispatcher.job(job)).state === "orphaned");
  const again = await registered(test, gateway, 2 * HOUR_MS);
  again.migrate([job]);
  await waitUntil("it has it again", async () => (await test.dispatcher.job(job)).session === again.id);
});

/** A gateway's clock that can be put forward, and counts how often all sessions were looked at. */
function clockAhead() {
  const clock = {
    aheadMs: 0,
    looks: 0,
    now: () => Date.now() + clock.aheadMs,
    setTimer(delayMs: number, run: () => void) {
      const timer = setTimeout(() => {
        if (delayMs === LOOK_EVERY_MS) clock.looks += 1;
        run();
      }, delayMs);
      return () => clearTimeout(timer);
    },
  };
  return clock;
}
