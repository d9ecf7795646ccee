import { systemClock as clock } from "@muster/runtime/clock";
import { createIntakeHub } from "@muster/runtime/queue/intake-hub";
import { connectRedis } from "@muster/runtime/redis/connect";
import { startFlakyProxy } from "@muster/test/kit/flaky-proxy";
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, it } from "vitest";
import { log, runDispatcher } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("lost-hints");
/** Nothing but what a test is about may find the job while it runs. */
const NEVER_MS = 600_000;

describe("room that nobody was told of", () => {
  it("is found by the next look at the namespace", async () => {
    const namespace = stage.freshNamespace();
    await stage.dispatcher();
    const { nodeId, offers } = await stage.gateway();
    const { job } = await stage.caller.order(namespace, "greeter");
    await waitUntil("it is parked", async () => (await stage.stateOf(namespace, job)) === "parked");
    await stage.caller.session(namespace, "greeter", nodeId, { told: false });
    await waitUntil("it is offered", () => offers().some((offer) => offer.job === job), {
      deadlineMs: 12_000,
    });
  });

  it("is found at once by a dispatcher that takes the namespace over", async () => {
    const namespace = stage.freshNamespace();
    const first = await runDispatcher(stage.redis.url);
    const { nodeId, offers } = await stage.gateway();
    const { job } = await stage.caller.order(namespace, "greeter");
    await waitUntil("it is parked", async () => (await stage.stateOf(namespace, job)) === "parked");
    await first.stop();
    await stage.caller.session(namespace, "greeter", nodeId, { told: false });
    await stage.dispatcher({ holdMs: 15_000 });
    await waitUntil("it is offered", () => offers().some((offer) => offer.job === job), {
      deadlineMs: 4_000,
    });
  });
});

describe("an entry that nobody was told of", () => {
  it("is taken by the next look at the namespace, with whatever is behind it", async () => {
    const namespace = stage.freshNamespace();
    await stage.dispatcher();
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId);
    const isOffered = (job: string) => () => offers().some((offer) => offer.job === job);
    const order = (upTo?: "queue") =>
      stage.caller.order(namespace, "greeter", {
        guardMs: NEVER_MS,
        ...(upTo === undefined ? {} : { upTo }),
      });
    // An actor that just began looks without a reason; behind its second entry it knows that the queue is empty.
    for (let known = 0; known < 2; known++) await waitUntil("it is offered", isOffered((await order()).job));
    // Of these two one was announced: one is fetched.
    const entries = [await order("queue"), await order()];
    for (const { job } of entries) await waitUntil("it is offered", isOffered(job), { deadlineMs: 12_000 });
  });
});

describe("a dispatcher that dies between taking an entry off the queue and placing its job", () => {
  it("costs no more than the job's guard", async () => {
    const namespace = stage.freshNamespace();
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId);
    const redis = connectRedis({ url: stage.redis.url, name: "dies", log });
    const hub = createIntakeHub({ redis, log, clock });
    let taken = 0;
    const dying = hub.open(namespace, () => new Promise<void>(() => void taken++), { concurrency: 1 });
    const { job } = await stage.caller.order(namespace, "greeter", { guardMs: 3_000, upTo: "queue" });
    const acceptedAtMs = Date.now();
    dying.wake(1);
    await waitUntil("it has the entry", () => taken === 1);
    redis.disconnect();
    // The entry is locked for 10 s more. As in production, the heir holds its time-outs for 5 s from its start.
    await stage.dispatcher({ holdMs: 5_000 });
    await waitUntil("it is offered", () => offers().some((offer) => offer.job === job), {
      deadlineMs: 8_000,
    });
    expect(Date.now() - acceptedAtMs).toBeLessThan(3_500);
  });
});

describe("hints that reach a dispatcher while it stops", () => {
  it("are sent on to the one that takes over", async () => {
    // So that these dispatchers host the namespaces of this test, and no other.
    await stage.redis.flush();
    const target = { host: "127.0.0.1", port: stage.redis.port };
    const proxy = stage.keep(await startFlakyProxy({ target }));
    const leaving = await runDispatcher(proxy.url);
    const { nodeId, offers } = await stage.gateway();
    const namespaces = Array.from({ length: 20 }, stage.freshNamespace);
    for (const namespace of namespaces) await stage.caller.session(namespace, "greeter", nodeId);
    const jobs = await Promise.all(
      namespaces.map(async (namespace) => {
        const { job } = await stage.caller.order(namespace, "greeter", { upTo: "ledger", guardMs: NEVER_MS });
        return { namespace, job };
      }),
    );
    const heir = await stage.dispatcher();
    await waitUntil(
      "each knows of the other",
      () =>
        heir.hosted() > 0 && leaving.hosted() > 0 && heir.hosted() + leaving.hosted() === namespaces.length,
      { deadlineMs: 15_000 },
    );
    // The last moment for a message: its inbox is told to close, and has not yet been read to the end.
    const told: string[] = [];
    const closing = proxy.afterCommands(
      1,
      () =>
        Promise.all(
          jobs.map(async ({ namespace, job }) => {
            const hint = { actor: namespace, message: { kind: "admit", job } };
            if ((await stage.caller.outbox.send(leaving.nodeId, hint)) === "sent") told.push(job);
          }),
        ),
      "XADD",
    );
    // Slow enough that whoever does not wait for what it sends on ends before it is sent.
    proxy.delay(50);
    await leaving.stop();
    await closing.fired;
    expect(told).toHaveLength(jobs.length);
    await waitUntil("each job that a hint was sent for is offered", () =>
      told.every((job) => offers().some((offer) => offer.job === job)),
    );
  });
});
