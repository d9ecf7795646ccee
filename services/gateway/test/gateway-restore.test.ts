/** Redis lost everything: what the sockets of a gateway hold is told to it again. */
import { GENERATION_KEY } from "@muster/actor/keys";
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, expect, it } from "vitest";
import { type Bench, bench, cleanUp, type RunningGateway, recordingLog, stopRedis } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

const FACTS = { room: "lobby", metadata: "the metadata", attributes: { tone: "kind" } };

async function assigned(test: Bench, gateway: RunningGateway) {
  const worker = await test.registered(gateway);
  const { order, job } = await test.dispatcher.order(FACTS);
  await test.dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job, { participantIdentity: "me" });
  await worker.next("assignment");
  worker.report(job, 1);
  await waitUntil("it runs", async () => (await test.dispatcher.job(job)).state === "running");
  return { worker, order, job };
}

async function isAsBefore(test: Bench, worker: WorkerClient, order: string, job: string): Promise<void> {
  await waitUntil("the job is there again", async () => (await test.dispatcher.job(job)).state === "running");
  expect(await test.dispatcher.job(job)).toMatchObject({
    session: worker.id,
    wire: job,
    order,
    room: "lobby",
    agent_identity: "me",
  });
  expect(await test.client.hgetall(`muster:{${test.namespace}}:order:${order}`)).toMatchObject({
    agent: "agent",
    metadata: "the metadata",
    attributes: JSON.stringify(FACTS.attributes),
    state: "live",
  });
}

it("has its sessions and jobs again, with all that they are, and says so once", async () => {
  const test = await bench();
  const { log, text } = recordingLog();
  const gateway = await test.start({ policy: { leaseMs: 600 }, log });
  const { worker, order, job } = await assigned(test, gateway);
  const idle = await test.registered(gateway);
  const other = await bench();
  const elsewhere = await other.registered(gateway);
  await test.redis.flush();
  await isAsBefore(test, worker, order, job);
  expect(await test.dispatcher.job(job)).toMatchObject({ epoch: "1", gateway: gateway.nodeId });
  await waitUntil("all sessions are there", async () => {
    const both = [await test.dispatcher.session(idle.id), await other.dispatcher.session(elsewhere.id)];
    return both.every(({ id }) => id !== undefined);
  });
  const said = () =>
    text()
      .split("\n")
      .filter((line) => line.includes("after Redis lost its state"));
  await waitUntil("it is said", () => said().length > 0);
  const renewed = gateway.counts.lease_renewed ?? 0;
  await waitUntil("the leases were renewed", () => (gateway.counts.lease_renewed ?? 0) >= renewed + 4);
  expect(said()).toHaveLength(1);
  expect(JSON.parse(said()[0] ?? "")).toMatchObject({ sessions: 3, jobs: 1, forgotten: 0 });
  expect(gateway.counts).toMatchObject({ job_restored: 1 });
  expect(worker.count("termination")).toBe(0);

  worker.report(job, 2);
  await waitUntil("its report counts", async () => (await test.dispatcher.job(job)).state === "ended");
  expect(await test.dispatcher.job(job)).toMatchObject({ outcome: "success" });
});

it("is offered work again", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600, sampleFlushMs: 20 } });
  const { worker, order, job } = await assigned(test, gateway);
  worker.sample({ load: 0.2 });
  await waitUntil("it is sampled", () => (gateway.counts.samples_written ?? 0) > 0);
  await test.redis.flush();
  await isAsBefore(test, worker, order, job);
  await waitUntil("its load too", async () => Number((await test.dispatcher.session(worker.id)).load) > 0.1);
  await waitUntil("the inbox is there again", () => test.client.exists(`muster:inbox:{${gateway.nodeId}}`));
  const { job: next } = await test.dispatcher.order();
  await test.dispatcher.offer(next);
  expect((await worker.next("availability", 5_000)).job?.id).toBe(next);
});

it("has again what a Redis lost that was set back a little, its lease not among it", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 900 } });
  const { worker, order, job } = await assigned(test, gateway);
  const idle = await test.registered(gateway);
  const tag = `muster:{${test.namespace}}:`;
  await test.client
    .multi()
    .del(
      `${tag}job:${job}`,
      `${tag}order:${order}`,
      `${tag}session:${idle.id}`,
      `${tag}session-jobs:${worker.id}`,
    )
    .zrem(`${tag}jobs`, job)
    .zrem(`${tag}sessions`, idle.id)
    .zrem(`${tag}pool:room/agent/`, idle.id)
    .srem(`${tag}gateway-sessions:${gateway.nodeId}`, idle.id)
    .set(GENERATION_KEY, "another life")
    .exec();
  await isAsBefore(test, worker, order, job);
  expect((await test.dispatcher.session(idle.id)).id).toBe(idle.id);
  expect(gateway.counts).toMatchObject({ job_restored: 1 });
  expect(gateway.counts.lease_lapsed).toBeUndefined();
  expect(idle.isOpen && worker.isOpen).toBe(true);
});

it("knows what a job is that came with a migration", async () => {
  const test = await bench();
  const [first, second] = [await test.start(), await test.start({ policy: { leaseMs: 600 } })];
  const { worker, order, job } = await assigned(test, first);
  worker.cut();
  await waitUntil("the job is an orphan", async () => (await test.dispatcher.job(job)).state === "orphaned");
  const again = await test.registered(second);
  again.migrate([job]);
  await waitUntil("it is the holder", async () => (await test.dispatcher.job(job)).session === again.id);
  // Two reads follow, of the job and of its order.
  await again.ping();
  const calls = async () =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await test.client.info("commandstats"))?.[1]);
  const before = await calls();
  await waitUntil("a few calls were made", async () => (await calls()) > before + 4);
  await test.redis.flush();
  await isAsBefore(test, again, order, job);
  expect(await test.dispatcher.job(job)).toMatchObject({ epoch: "2" });
});

it("does not bring back what this very Redis has forgotten", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600 } });
  const { job } = await assigned(test, gateway);
  await test.redis.flush();
  await waitUntil("it is there again", () => gateway.counts.job_restored === 1);
  const renewed = gateway.counts.lease_renewed ?? 0;
  await waitUntil("it was asserted", () => (gateway.counts.lease_renewed ?? 0) >= renewed + 2);
  await test.client.del(`muster:{${test.namespace}}:job:${job}`);
  await waitUntil("it is unknown", () => (gateway.counts.held_unknown ?? 0) > 1);
  expect(gateway.counts.job_restored).toBe(1);
  expect(await test.dispatcher.job(job)).toEqual({});
});
