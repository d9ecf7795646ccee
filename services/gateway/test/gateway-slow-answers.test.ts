/** Workers that answer offers late: their yes is taken where nobody was asked since, and they are given longer. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, expect, it } from "vitest";
import { bench, cleanUp, stopRedis } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

const SHORT = { offerTimeoutMs: 100, offerTimeoutMaxMs: 60_000 };

it("takes a late yes, blames nobody, and gives the worker longer next time", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: SHORT });
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  await waitUntil("the offer is taken back", async () => (await dispatcher.job(job)).state === "queued");
  expect(gateway.counts["offer_ended.slow"]).toBe(1);
  worker.accept(job);
  expect((await worker.next("assignment")).job?.id).toBe(job);
  expect(await dispatcher.job(job)).toMatchObject({ state: "starting", session: worker.id, epoch: "1" });
  const session = await dispatcher.session(worker.id);
  expect(session).not.toHaveProperty("struck");
  expect(session).not.toHaveProperty("health");
  expect(Number(session.answer_ms)).toBeGreaterThan(100);
  expect(gateway.counts["late_answer.taken"]).toBe(1);
  worker.report(job, 2);
  await waitUntil("it ended", async () => (await dispatcher.job(job)).state === "ended");
});

it("takes a late no for a no, and a late yes for none once somebody else was asked", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: SHORT });
  const slow = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await slow.next("availability");
  await waitUntil("the offer is taken back", async () => (await dispatcher.job(job)).state === "queued");
  const other = await registered(gateway);
  expect(await dispatcher.offer(job)).toMatchObject({ session: other.id, epoch: 2 });
  await other.next("availability");
  other.accept(`${job}.2`);
  await other.next("assignment");
  slow.accept(job);
  await waitUntil("the late yes is dealt with", () => gateway.counts["late_answer.too_late"] === 1);
  expect(slow.count("assignment")).toBe(0);
  expect(await dispatcher.job(job)).toMatchObject({ state: "starting", session: other.id });
  const second = await dispatcher.order();
  await dispatcher.offer(second.job);
  await slow.next("availability");
  await waitUntil("it is taken back", async () => (await dispatcher.job(second.job)).state === "queued");
  slow.reject(second.job);
  await waitUntil("the late no is dealt with", () => gateway.counts["late_answer.no"] === 1);
  expect(await dispatcher.session(slow.id)).not.toHaveProperty("struck");
});

it("takes no answer in the longest time for silence", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: { offerTimeoutMs: 100, offerTimeoutMaxMs: 400 } });
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  await registered(gateway); // the last of a pool is not ejected
  await waitUntil("it is ejected", async () => (await dispatcher.session(worker.id)).health === "ejected");
  expect(gateway.counts["offer_ended.slow"]).toBe(1);
  expect(gateway.counts["late_answer.never"]).toBe(1);
  worker.accept(job);
  await worker.ping();
  expect(gateway.counts.answer_ignored).toBe(1);
  expect(worker.count("assignment")).toBe(0);
});

it("gives an offer that is open as long as its pool is known to need, and tells nobody that it is slow", async () => {
  const { start, registered, dispatcher, client, namespace } = await bench();
  const gateway = await start({ policy: SHORT });
  const worker = await registered(gateway);
  await client.set(`muster:{${namespace}}:answer-time:room/agent/`, "30000");
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  await waitUntil(
    "it is given longer",
    async () => (await dispatcher.session(worker.id)).answer_ms === "30000",
  );
  expect((await dispatcher.job(job)).state).toBe("offered");
  worker.accept(job);
  await worker.next("assignment");
  expect(gateway.counts["offer_ended.slow"]).toBeUndefined();
  expect(gateway.counts["offer_ended.accepted"]).toBe(1);
});

it("gives less again to one that answers quickly, and a newcomer what its pool needs", async () => {
  const { start, registered, dispatcher, client, namespace } = await bench();
  const gateway = await start({ policy: SHORT });
  await client.set(`muster:{${namespace}}:answer-time:room/agent/`, "20000");
  const worker = await registered(gateway);
  expect(await dispatcher.session(worker.id)).toMatchObject({ answer_ms: "20000" });
  for (const next of [10_000, 5_000]) {
    const { job } = await dispatcher.order();
    await dispatcher.offer(job);
    await worker.next("availability");
    worker.accept(job);
    await worker.next("assignment");
    await waitUntil("it is given less", async () => {
      const { answer_ms: givenMs } = await dispatcher.session(worker.id);
      return Math.abs(Number(givenMs) - next) < 500;
    });
    worker.report(job, 2);
    await waitUntil("it ended", async () => (await dispatcher.job(job)).state === "ended");
  }
});

it("lets an offer live as long as the gateway was told to wait, whatever the dispatcher's own time", async () => {
  const { start, registered, dispatcher, ledger, namespace } = await bench();
  const gateway = await start({ policy: { offerTimeoutMs: 8_000 } });
  const worker = await registered(gateway);
  const { job } = await dispatcher.order();
  const reply = await ledger.admit({ namespace, job, offerMs: 5_000, retryMs: 500, scan: 32 });
  expect(reply).toMatchObject({ status: "offered", job: { session: worker.id } });
  const { offered_at: at } = await dispatcher.job(job);
  expect(reply.status === "offered" && reply.deadline - Number(at)).toBe(10_000);
});
