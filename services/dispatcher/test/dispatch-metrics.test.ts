/** What a dispatcher measures: the stages of a dispatch that are its own, its actors, and how jobs came to their end. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, it } from "vitest";
import { poolOf } from "./caller.js";
import { staticPresence } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("dispatch-metrics");

const stageCount = (name: string) => `dispatch_stage_duration_seconds_count{stage="${name}"}`;

it("times a job that is placed at once in the queue and in its claim, and in no wait", async () => {
  const namespace = stage.freshNamespace();
  const dispatcher = await stage.dispatcher();
  const gateway = await stage.gateway();
  await stage.caller.session(namespace, "greeter", gateway.nodeId);
  expect(await dispatcher.metric(stageCount("queue"))).toBe(0);
  const { job } = await stage.caller.order(namespace, "greeter");
  const offer = await waitUntil("it is offered", () => gateway.offers().find((one) => one.job === job));
  const { created_at: createdAt } = await stage.caller.job(namespace, job);
  expect(offer.first).toEqual({ createdAtMs: Number(createdAt), path: "direct" });
  expect(await dispatcher.metric(stageCount("queue"))).toBe(1);
  expect(await dispatcher.metric(stageCount("match"))).toBe(1);
  expect(await dispatcher.metric(stageCount("wait"))).toBe(0);
});

it("times one that had to wait for a worker by its wait, and says so to the gateway", async () => {
  const namespace = stage.freshNamespace();
  const dispatcher = await stage.dispatcher();
  const gateway = await stage.gateway();
  const { job } = await stage.caller.order(namespace, "late");
  await waitUntil("it is parked", async () => (await stage.stateOf(namespace, job)) === "parked");
  const parkedAtMs = Number((await stage.caller.job(namespace, job)).parked_at);
  await stage.caller.session(namespace, "late", gateway.nodeId);
  const offer = await waitUntil("it is offered", () => gateway.offers().find((one) => one.job === job));
  expect(offer.first?.path).toBe("waited");
  expect(await dispatcher.metric(stageCount("wait"))).toBe(1);
  expect(await dispatcher.metric('dispatch_stage_duration_seconds_sum{stage="wait"}')).toBe(
    (offer.offeredAtMs - parkedAtMs) / 1_000,
  );
  expect(await dispatcher.metric(stageCount("queue"))).toBe(0);
});

it("calls one waited that was on hold, or was refused before, and says nothing of one that ran before", async () => {
  const namespace = stage.freshNamespace();
  await stage.dispatcher({ presence: staticPresence("absent") });
  const gateway = await stage.gateway();
  const session = await stage.caller.session(namespace, "greeter", gateway.nodeId);
  const offersOf = (job: string) => gateway.offers().filter((one) => one.job === job);
  const held = await stage.caller.order(namespace, "greeter", { held: 1 });
  await waitUntil("it is held", async () => (await stage.caller.job(namespace, held.job)).held === "1");
  const released = await stage.caller.release(namespace, held.order);
  const toServe = released.status === "released" ? released.serve : [];
  expect(toServe).toHaveLength(1);
  for (const pool of toServe) await stage.caller.link.tell(namespace, { kind: "serve", pool });
  await waitUntil("the held one is offered", () => offersOf(held.job).length === 1);
  expect(offersOf(held.job)[0]?.first?.path).toBe("waited");

  const { job } = await stage.caller.order(namespace, "greeter");
  const first = await waitUntil("it is offered", () => offersOf(job)[0]);
  expect(first.first?.path).toBe("direct");
  await stage.caller.session(namespace, "greeter", gateway.nodeId);
  const second = await waitUntil("nobody answered, and another is asked", () => offersOf(job)[1]);
  expect(second.first?.path).toBe("waited");
  await stage.caller.take(second, "reporting");
  await stage.caller.lose(namespace, second.session);
  const third = await waitUntil("its worker was lost, and it is resumed", () => offersOf(job)[2]);
  expect(third).toMatchObject({ resuming: true });
  expect(third.first).toBeUndefined();
  expect([first.session, second.session]).toContain(session);
});

it("tells of its actors, its fellows, and what waits in its queues, from memory", async () => {
  const namespace = stage.freshNamespace();
  const dispatcher = await stage.dispatcher();
  await stage.caller.parked(namespace, "lonely", 1);
  await waitUntil("it is hosted", async () => (await dispatcher.metric("actors_hosted")) >= 1);
  // Whoever sends knows of a new dispatcher after a moment.
  await waitUntil("it had a turn", async () => {
    await stage.caller.link.tell(namespace, { kind: "serve", pool: poolOf("lonely") });
    return (await dispatcher.metric('actor_events_total{event="turn"}')) >= 1;
  });
  expect(await dispatcher.metric('actor_events_total{event="activated"}')).toBeGreaterThan(0);
  expect(await dispatcher.metric('actor_events_total{event="failed"}')).toBe(0);
  expect(await dispatcher.metric("nodes_live")).toBe(1);
  expect(await dispatcher.metric("actor_mailbox_messages")).toBe(0);
  expect(await dispatcher.metric("intake_queued")).toBe(0);
  const fellow = await stage.dispatcher();
  await waitUntil("they know each other", async () => (await dispatcher.metric("nodes_live")) === 2);
  await waitUntil("each namespace has one host", () => dispatcher.hosted() + fellow.hosted() <= 8);
});

it("counts a job whose last start was never seen as failed, once", async () => {
  const namespace = stage.freshNamespace();
  const dispatcher = await stage.dispatcher();
  const gateway = await stage.gateway();
  const session = await stage.caller.session(namespace, "greeter", gateway.nodeId);
  const { job: earlier } = await stage.caller.order(namespace, "greeter");
  const seen = await waitUntil("one is offered", () => gateway.offers().find((one) => one.job === earlier));
  await stage.caller.take(seen, "reporting");
  const { job } = await stage.caller.order(namespace, "greeter", { maxAttempts: 1 });
  const offer = await waitUntil("it is offered", () => gateway.offers().find((one) => one.job === job));
  expect(offer.session).toBe(session);
  await stage.caller.take(offer, "silent", 100);
  const failed = 'jobs_ended_total{outcome="failed"}';
  await waitUntil("it ended", async () => (await stage.stateOf(namespace, job)) === "ended");
  await waitUntil("it is counted", async () => (await dispatcher.metric(failed)) === 1);
  expect(await dispatcher.metric('redispatches_total{reason="never_started"}')).toBe(0);
});
