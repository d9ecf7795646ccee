/** Offers that lead to no assignment through nobody's fault: what becomes of them, and that nobody is blamed. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, expect, it } from "vitest";
import WebSocket from "ws";
import { agentToken, bench, cleanUp, newId, stopRedis } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

it("goes back when its session is not here, and the session with it", async () => {
  const { start, registered, dispatcher, namespace, client } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  const offer = await dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  const other = await dispatcher.order();
  const ghost = newId("session");
  // A session that the ledger has on this gateway, and that the gateway does not.
  await client.copy(`muster:{${namespace}}:session:${worker.id}`, `muster:{${namespace}}:session:${ghost}`);
  await client.hset(`muster:{${namespace}}:session:${ghost}`, "id", ghost);
  await client.hset(
    `muster:{${namespace}}:job:${other.job}`,
    "state",
    "offered",
    "session",
    ghost,
    "epoch",
    "1",
  );
  await dispatcher.send(gateway.nodeId, { ...offer, job: other.job, wire: other.job, session: ghost });
  await waitUntil("the offer went back", () =>
    dispatcher.told.some((m) => m.kind === "admit" && m.job === other.job),
  );
  expect((await dispatcher.job(other.job)).state).toBe("queued");
  await waitUntil("the ghost is removed", async () => (await dispatcher.session(ghost)).id === undefined);
  expect((await dispatcher.session(worker.id)).id).toBe(worker.id);
  expect(gateway.counts["unroutable.offer"]).toBe(1);
});

it("goes back without blame when the socket goes while it is open", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  worker.cut();
  await waitUntil("the offer went back", () =>
    dispatcher.told.some((m) => m.kind === "admit" && m.job === job),
  );
  expect((await dispatcher.job(job)).state).toBe("queued");
  expect(gateway.counts["offer_ended.silent"]).toBeUndefined();
  await waitUntil("the session is gone", async () => (await dispatcher.session(worker.id)).id === undefined);
});

it("goes back without blame when it never left for its socket", async () => {
  const { start, dispatcher, field } = await bench();
  const placement = { jobLoad: 0, maxLoad: 1, maxJobs: 0, labels: "" };
  const gateway = await start({ policy: { offerTimeoutMs: 1_000, sampleFlushMs: 20, placement } });
  const url = `${gateway.url.replace("http", "ws")}/agent`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${agentToken()}` } });
  const worker = new WorkerClient(socket, false);
  await waitUntil("it is connected", () => worker.isOpen);
  await worker.register({ agentName: "agent", namespace: field });
  worker.sample({ load: 0.1 });
  await waitUntil("it is sampled", async () => Number((await dispatcher.session(worker.id)).load) > 0);
  // It reads no more: what the system's buffers do not hold waits in the gateway, below the bound that ends the socket.
  socket.pause();
  const offers = 16;
  for (let index = 0; index < offers; index++) {
    const { job } = await dispatcher.order({ metadata: "m".repeat(400_000) });
    await dispatcher.offer(job);
  }
  await waitUntil("all went back", () => gateway.counts["offer_ended.undelivered"] === offers);
  expect(gateway.counts["offer_ended.silent"]).toBeUndefined();
  expect(await dispatcher.session(worker.id)).not.toHaveProperty("struck");
  expect(gateway.connections()).toBe(1);
  worker.cut();
});

it("is no offer any more when the ledger has moved on: the yes is stale and nothing is sent", async () => {
  const { start, registered, dispatcher, ledger, namespace } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  await ledger.terminateJob({
    namespace,
    job,
    cause: "terminated",
    reason: "enough",
    stopMs: 1_000,
    removeMs: 0,
  });
  worker.accept(job);
  await waitUntil("the answer was stale", () => gateway.counts["offer_ended.stale"] === 1);
  await worker.ping();
  expect(worker.count("assignment")).toBe(0);
});

it("goes back without blame when its answer waited in a gateway that was stopped for a while", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: { offerTimeoutMs: 100, maxAnswerAgeMs: 200 } });
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  const stoppedAt = performance.now();
  while (performance.now() - stoppedAt < 400);
  await waitUntil("the offer went back", () => gateway.counts["offer_ended.undelivered"] === 1);
  await worker.ping();
  expect(worker.count("assignment")).toBe(0);
  expect(await dispatcher.job(job)).toMatchObject({ state: "queued", attempts: "0" });
  expect(await dispatcher.session(worker.id)).not.toHaveProperty("struck");
});

it("is not assigned when the ledger took longer than an answer is worth", async () => {
  const { start, registered, dispatcher, redis } = await bench();
  const gateway = await start({ policy: { maxAnswerAgeMs: 50 } });
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  redis.freeze();
  worker.accept(job);
  await worker.ping();
  const frozenAt = performance.now();
  await waitUntil("the answer is old", () => performance.now() - frozenAt > 80);
  redis.thaw();
  await waitUntil("it was withheld", () => gateway.counts["assignment_withheld.late"] === 1);
  expect(worker.count("assignment")).toBe(0);
  await waitUntil("it is taken back", () => gateway.counts.start_withdrawn === 1);
  expect(await dispatcher.job(job)).toMatchObject({ state: "queued", attempts: "0", session: "" });
  await waitUntil("the dispatcher hears of it", () =>
    dispatcher.told.some((m) => m.kind === "admit" && m.job === job),
  );
  expect(await dispatcher.session(worker.id)).not.toHaveProperty("struck");
});

it("is taken back when its yes was committed and the socket was gone", async () => {
  const { start, registered, dispatcher, redis } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  redis.freeze();
  worker.accept(job);
  await worker.ping();
  worker.cut();
  await waitUntil("the gateway saw it go", () => gateway.connections() === 0);
  redis.thaw();
  await waitUntil("the session is gone", async () => (await dispatcher.session(worker.id)).id === undefined);
  // Nothing left for the worker, so nothing runs: no orphan, and no attempt.
  expect(gateway.counts["assignment_withheld.socket_gone"]).toBe(1);
  expect(gateway.counts.start_withdrawn).toBe(1);
  expect(await dispatcher.job(job)).toMatchObject({ state: "queued", attempts: "0" });
  expect(dispatcher.told.filter((m) => m.kind === "orphan")).toEqual([]);
  expect(dispatcher.told.some((m) => m.kind === "admit" && m.job === job)).toBe(true);
});
