/** What one worker may make a gateway keep in memory or write to its log, and who goes when it is more. */

import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import type { RegisterWorkerRequest } from "@muster/wire/generated/livekit";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type Bench, bench, cleanUp, type RunningGateway, recordingLog, stopRedis } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

const KIB = 1024;

/** All that it sent before has been read. */
async function hasRead(worker: WorkerClient): Promise<void> {
  await worker.ping();
}

function fail(worker: WorkerClient, times: number, error: string): void {
  for (let index = 0; index < times; index++) worker.report("AJ_x", 3, error);
}

describe("what waits for the ledger", () => {
  async function house(policy: { workBytes?: number; workBytesPerWorker?: number }) {
    const test = await bench();
    const gateway = await test.start({ policy });
    return { ...test, gateway };
  }

  it("closes the worker that has too much of it with 4429, and no other", async () => {
    const { gateway, registered, redis } = await house({ workBytesPerWorker: 64 * KIB });
    const [greedy, other] = [await registered(gateway), await registered(gateway)];
    redis.freeze();
    fail(greedy, 40, "e".repeat(4_000));
    fail(other, 4, "e".repeat(4_000));
    expect(await greedy.closed()).toEqual({
      code: 4429,
      reason: "more bytes of messages than may wait here for one worker; try again",
    });
    await hasRead(other);
    expect(await gateway.metric('gateway_events_total{event="overworked_session_bytes"}')).toBe(1);
    redis.thaw();
    // What waited is written as ever: each is refused, for nobody knows the job.
    await waitUntil(
      "the reports of both are through",
      () => (gateway.counts["report_refused.unknown_job"] ?? 0) > 8,
    );
    expect(other.isOpen).toBe(true);
  });

  it("closes who has most of it when that of all is used up, and not who comes last", async () => {
    const { gateway, registered, redis } = await house({
      workBytes: 1024 * KIB,
      workBytesPerWorker: 900 * KIB,
    });
    const [greedy, small, last] = [
      await registered(gateway),
      await registered(gateway),
      await registered(gateway),
    ];
    redis.freeze();
    fail(small, 10, "e".repeat(4_000));
    await hasRead(small);
    fail(greedy, 90, "e".repeat(4_000));
    await hasRead(greedy);
    fail(last, 40, "e".repeat(4_000));
    await hasRead(last);
    expect((await greedy.closed()).reason).toMatch(/^this gateway has no memory left/);
    await hasRead(small);
    await hasRead(last);
    expect(await gateway.metric('gateway_events_total{event="overworked_gateway_bytes"}')).toBe(1);
    redis.thaw();
    await waitUntil("the reports of the others are through", () => gateway.counts["report.refused"] === 51);
  });

  it("cuts an error before it waits", async () => {
    const { gateway, registered, redis } = await house({ workBytesPerWorker: 64 * KIB });
    const worker = await registered(gateway);
    redis.freeze();
    fail(worker, 6, "e".repeat(500_000));
    await hasRead(worker);
    redis.thaw();
    await waitUntil("they are through", () => gateway.counts["report.refused"] === 6);
    expect(worker.isOpen).toBe(true);
  });

  it("counts large frames that wait for their registration", async () => {
    const { gateway, worker, redis, field } = await house({ workBytesPerWorker: 64 * KIB });
    const connected = await worker(gateway);
    redis.freeze();
    connected.send({ case: "register", value: { namespace: field } });
    connected.migrate(Array.from({ length: 2_000 }, (_, index) => `AJ_${index}`));
    expect((await connected.closed()).code).toBe(4429);
    redis.thaw();
  });
});

describe("simulated jobs", () => {
  it("are made as fast as a person asks, and a worker that asks faster is closed with 4429", async () => {
    const { start, registered } = await bench();
    const gateway = await start();
    const [worker, other] = [await registered(gateway), await registered(gateway)];
    for (let index = 0; index < 20; index++) worker.simulate({ name: `room-${index}` });
    await waitUntil("all are made", () => gateway.counts.job_simulated === 20);
    await hasRead(worker);
    for (let index = 0; index < 30; index++) worker.simulate({ name: `more-${index}` });
    expect(await worker.closed()).toEqual({
      code: 4429,
      reason: "simulate_job: more than 5 a second; ask for fewer at a time",
    });
    other.simulate({ name: "room" });
    await hasRead(other);
    expect(await gateway.metric('gateway_events_total{event="simulations_refused"}')).toBe(1);
  });

  it("have room and participant as large as livekit-server lets them be", async () => {
    const { start, registered } = await bench();
    const gateway = await start();
    const worker = await registered(gateway);
    const metadata = "m".repeat(64_000);
    const attributes = { much: "a".repeat(64_000) };
    worker.simulate({ name: "room", metadata }, { identity: "human", metadata, attributes });
    await waitUntil("it is made", () => gateway.counts.job_simulated === 1);
    worker.simulate({ name: "room", metadata: "m".repeat(150_000) }, { metadata: "m".repeat(150_000) });
    expect(await worker.closed()).toMatchObject({ code: 4422, reason: /^simulate_job\.room: larger/ });
  });
});

it("keeps of a registration what it knows, and refuses a list of sources without end", async () => {
  const { start, worker, dispatcher, field } = await bench();
  const gateway = await start();
  const endless = await worker(gateway);
  const permissions = (count: number): Partial<RegisterWorkerRequest> => ({
    namespace: field,
    allowedPermissions: { canPublish: true, canPublishSources: new Array(count).fill(1) } as never,
  });
  endless.send({ case: "register", value: permissions(65) });
  expect(await endless.closed()).toMatchObject({
    code: 4422,
    reason: "register.allowed_permissions.can_publish_sources: more than 64",
  });
  const known = await worker(gateway);
  const { workerId } = await known.register(permissions(5));
  expect(JSON.parse((await dispatcher.session(workerId)).permissions ?? "")).toMatchObject({
    canPublish: true,
  });
});

describe("the lines of one worker", () => {
  async function flap(test: Bench, gateway: RunningGateway, times: number): Promise<void> {
    for (let index = 0; index < times; index++) {
      const worker = await test.registered(gateway);
      await worker.close();
    }
  }

  const linesOf = (text: string, msg: string) =>
    text
      .split("\n")
      .filter((line) => line !== "" && JSON.parse(line).msg === msg && JSON.parse(line).level !== "debug");

  it("are folded when it flaps: the first is written, the rest a number", async () => {
    const test = await bench();
    const { log, text } = recordingLog();
    const gateway = await test.start({ log });
    await flap(test, gateway, 1);
    await waitUntil("its end is told", () => linesOf(text(), "socket closed").length === 1);
    expect(linesOf(text(), "worker registered")).toHaveLength(1);
    await flap(test, gateway, 150);
    await waitUntil("all are gone", () => gateway.connections() === 0);
    expect(linesOf(text(), "worker registered")).toHaveLength(120);
    await gateway.stop();
    const more = linesOf(text(), "happened more times in the last minute").map((line) => JSON.parse(line));
    expect(more).toContainEqual(expect.objectContaining({ line: "worker registered", times: 31 }));
    expect(more).toContainEqual(expect.objectContaining({ line: "socket closed", times: 31 }));
  });

  it("are folded when it says the same for ever on one socket", async () => {
    const test = await bench();
    const { log, text } = recordingLog();
    const gateway = await test.start({ log });
    const worker = await test.registered(gateway);
    for (let index = 0; index < 300; index++) worker.report("AJ_x", 1);
    await waitUntil("all are refused", () => gateway.counts["report.refused"] === 300, {
      deadlineMs: 20_000,
    });
    expect(linesOf(text(), "report refused")).toHaveLength(100);
  });
});
