/** What a worker says of its jobs, what it is told of them, and the jobs that it makes itself. */
import { startWorker } from "@muster/test/kit/simulated-worker";
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, expect, it } from "vitest";
import {
  agentToken,
  type Bench,
  bench,
  cleanUp,
  type OrderOptions,
  type RunningGateway,
  recordingLog,
  stopRedis,
} from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

/** A worker that was just assigned a job. */
async function assigned(
  test: Bench,
  gateway: RunningGateway,
  options: OrderOptions = {},
): Promise<{ worker: WorkerClient; job: string }> {
  const worker = await test.registered(gateway);
  const { job } = await test.dispatcher.order(options);
  await test.dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  return { worker, job };
}

it("writes reports in the order in which they came", async () => {
  const test = await bench();
  const gateway = await test.start();
  const { worker, job } = await assigned(test, gateway, { restartPolicy: "never" });
  worker.report(job, 1);
  await waitUntil("the job runs", async () => (await test.dispatcher.job(job)).state === "running");
  worker.report(job, 0);
  worker.report(job, 1);
  worker.report(job, 3, "it broke");
  worker.report(job, 1);
  worker.report(job, 2);
  await waitUntil("the last was refused", () => gateway.counts["report_refused.ended"] === 2);
  expect(await test.dispatcher.job(job)).toMatchObject({
    state: "ended",
    outcome: "failed",
    cause: "reported",
    error: "it broke",
  });
  expect(worker.isOpen).toBe(true);
});

it("bounds the worker's error text between characters", async () => {
  const test = await bench();
  const gateway = await test.start();
  const { worker, job } = await assigned(test, gateway, { restartPolicy: "never" });
  worker.report(job, 3, "é".repeat(4_000));
  await waitUntil("the job ended", async () => (await test.dispatcher.job(job)).state === "ended");
  expect((await test.dispatcher.job(job)).error).toBe("é".repeat(2_048));
});

it("has the pool served when a job ends and another waits", async () => {
  const test = await bench();
  const gateway = await test.start();
  const { worker, job } = await assigned(test, gateway);
  const waiting = await test.dispatcher.order();
  const parked = await test.ledger.admit({
    namespace: test.namespace,
    job: waiting.job,
    offerMs: 5_000,
    retryMs: 500,
    scan: 32,
  });
  expect(parked.status).toBe("parked");
  worker.report(job, 2);
  await waitUntil("the dispatcher is told", () =>
    test.dispatcher.told.some((message) => message.kind === "serve"),
  );
});

it("takes no word of another worker on a job, and leaks nothing to it", async () => {
  const test = await bench();
  const gateway = await test.start();
  const { worker, job } = await assigned(test, gateway);
  // Of another agent: one of the same that knows the newest wire id is taken for the worker that was given it.
  const stranger = await test.registered(gateway, "another agent");
  const before = stranger.received.length;
  stranger.report(job, 2);
  await waitUntil("it was refused", () => gateway.counts["report_refused.held_elsewhere"] === 1);
  await stranger.ping();
  expect(stranger.received.length).toBe(before + 1);
  expect((await test.dispatcher.job(job)).state).toBe("starting");
  expect(worker.isOpen).toBe(true);
});

it("writes a report once the ledger takes it, however often it failed", async () => {
  const test = await bench();
  const { log, text } = recordingLog();
  const gateway = await test.start({ log });
  const { worker, job } = await assigned(test, gateway);
  const key = `muster:{${test.namespace}}:job:${job}`;
  // A key of another type makes every script that reads it fail.
  await test.client.multi().rename(key, `${key}:aside`).set(key, "no hash").exec();
  worker.report(job, 2);
  const failures = () => text().split("report not yet written").length - 1;
  await waitUntil("it has failed twice", () => failures() >= 2);
  await test.client.rename(`${key}:aside`, key);
  await waitUntil("the job ended", async () => (await test.dispatcher.job(job)).state === "ended");
  expect(await test.dispatcher.job(job)).toMatchObject({ outcome: "success", cause: "reported" });
});

it("counts what a worker said before its socket closed", async () => {
  const test = await bench();
  const gateway = await test.start();
  const { worker, job } = await assigned(test, gateway);
  // The second is written only when the first was answered; the end of the socket must not overtake it.
  worker.report(job, 1);
  worker.report(job, 2);
  await worker.close();
  await waitUntil(
    "the session is gone",
    async () => (await test.dispatcher.session(worker.id)).id === undefined,
  );
  expect(await test.dispatcher.job(job)).toMatchObject({ state: "ended", outcome: "success" });
  await gateway.stop();
  expect(gateway.counts).toMatchObject({ "report.running": 1, "report.ended": 1, job_orphaned: 0 });
});

it("sends a failed job back when its order restarts, and holds it no more", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600 } });
  const { worker, job } = await assigned(test, gateway);
  worker.report(job, 3, "it broke");
  await waitUntil("it waits for its next try", () => gateway.counts["report.retrying"] === 1);
  expect(await test.dispatcher.job(job)).toMatchObject({ state: "queued", error: "it broke" });
  const renewed = gateway.counts.lease_renewed ?? 0;
  await waitUntil("the lease was renewed twice", () => (gateway.counts.lease_renewed ?? 0) >= renewed + 2);
  expect((await test.dispatcher.job(job)).state).toBe("queued");
  expect(worker.count("termination")).toBe(0);
});

it("delivers a stop, again with each renewal until it is confirmed, and then no more", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600 } });
  const { worker, job } = await assigned(test, gateway);
  const reply = await test.ledger.terminateJob({
    namespace: test.namespace,
    cause: "terminated",
    job,
    reason: "enough",
    stopMs: 20_000,
    removeMs: 0,
  });
  expect(reply.status).toBe("terminated");
  await test.dispatcher.send(gateway.nodeId, {
    kind: "stop",
    namespace: test.namespace,
    session: worker.id,
    job,
    wire: job,
  });
  expect((await worker.next("termination")).jobId).toBe(job);
  expect((await worker.next("termination")).jobId).toBe(job);
  worker.report(job, 2);
  await waitUntil("the stop was confirmed", () => gateway.counts["report.released"] === 1);
  const told = worker.count("termination");
  const renewed = gateway.counts.lease_renewed ?? 0;
  await waitUntil(
    "the lease was renewed three times",
    () => (gateway.counts.lease_renewed ?? 0) >= renewed + 3,
  );
  expect(worker.count("termination")).toBeLessThanOrEqual(told + 1);
  expect(await test.client.hlen(`muster:{${test.namespace}}:stops`)).toBe(0);
});

it("delivers a stop whose message was lost", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { leaseMs: 600 } });
  const { worker, job } = await assigned(test, gateway);
  await test.ledger.terminateJob({
    namespace: test.namespace,
    job,
    cause: "terminated",
    reason: "enough",
    stopMs: 20_000,
    removeMs: 0,
  });
  expect((await worker.next("termination")).jobId).toBe(job);
});

it("ignores a stop for a session that is not here", async () => {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  const stop = { kind: "stop", namespace: test.namespace, job: "AJ_x", wire: "AJ_x" };
  await test.dispatcher.send(gateway.nodeId, { ...stop, session: "AW_nobody" });
  await waitUntil("it was counted", () => gateway.counts["unroutable.stop"] === 1);
  await worker.ping();
  expect(worker.count("termination")).toBe(0);
});

it("makes a job of a worker's own, with what it sent of room and participant", async () => {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  const { encodeWorkerMessage } = await import("@muster/wire/agent-codec");
  const { Room, SimulateJobRequest, ParticipantInfo } = await import("@muster/wire/generated/livekit");
  expect(encodeWorkerMessage({ case: "ping", value: {} }).length).toBe(2);
  // A field that is newer than our schema (number 1000) rides along in the room.
  const unknown = Uint8Array.from([0xc2, 0x3e, 0x03, 0x61, 0x62, 0x63]);
  const room = Buffer.concat([Room.encode({ name: "sim", metadata: "m" }).finish(), unknown]);
  const participant = ParticipantInfo.encode({ identity: "human" }).finish();
  const field = (number: number, bytes: Uint8Array) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const simulate = Buffer.concat([field(2, room), field(3, participant)]);
  expect(SimulateJobRequest.decode(simulate).room?.name).toBe("sim");
  worker.sendRaw(field(6, simulate));

  const told = await waitUntil("the dispatcher is told", () =>
    test.dispatcher.told.find((m) => m.kind === "admit"),
  );
  const job = told.kind === "admit" ? told.job : "";
  const record = await test.dispatcher.job(job);
  expect(record).toMatchObject({
    state: "queued",
    only: worker.id,
    type: "publisher",
    room: "sim",
    order: "",
  });
  expect(Buffer.from(record.room_info ?? "", "base64")).toEqual(room);
  expect(Buffer.from(record.participant_info ?? "", "base64")).toEqual(Buffer.from(participant));

  await test.dispatcher.offer(job);
  const request = await worker.next("availability");
  expect(request.job).toMatchObject({
    id: job,
    type: 1,
    dispatchId: "",
    room: { name: "sim", metadata: "m" },
    participant: { identity: "human" },
  });
  worker.accept(job);
  expect((await worker.next("assignment")).job?.room?.metadata).toBe("m");
});

it("makes a room job of a simulation without a participant", async () => {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  worker.simulate({ name: "sim" });
  const told = await waitUntil("the dispatcher is told", () =>
    test.dispatcher.told.find((m) => m.kind === "admit"),
  );
  expect(told.kind === "admit" && (await test.dispatcher.job(told.job)).type).toBe("room");
});

it("works with a worker that works by itself", async () => {
  const test = await bench();
  const gateway = await test.start();
  const register = { agentName: "agent", namespace: test.field };
  const worker = await startWorker({
    url: gateway.url,
    token: agentToken(),
    register,
    reports: true,
    jobMs: 20,
  });
  const { job } = await test.dispatcher.order({ room: "lobby" });
  await test.dispatcher.offer(job);
  await waitUntil("the job ended", async () => (await test.dispatcher.job(job)).state === "ended");
  expect(worker.assigned.map(({ wire, room }) => [wire, room])).toEqual([[job, "lobby"]]);
  expect(await test.dispatcher.job(job)).toMatchObject({ outcome: "success" });
  await worker.close();
});
