import { ownerOf } from "@muster/actor/rendezvous";
import type { Log } from "@muster/runtime/log";
import { startFlakyProxy } from "@muster/test/kit/flaky-proxy";
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, it } from "vitest";
import { noPresence, type PresenceVerdict } from "../src/presence.js";
import { runDispatcher, staticPresence, testPolicy } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("hold");
const LEASE_MS = 600;

/** Redis answers nobody for so long that every lease and every grace of these tests ends meanwhile. */
async function pauseRedis(dispatcher: { ready(): boolean }, forMs = 1_200) {
  const pausedAtMs = Date.now();
  stage.redis.freeze();
  await waitUntil("our lease has lapsed", () => !dispatcher.ready());
  await waitUntil("the pause is over", () => Date.now() - pausedAtMs >= forMs);
  stage.redis.thaw();
  const backAtMs = Date.now();
  await waitUntil("our lease is held again", () => dispatcher.ready());
  return backAtMs;
}

/** The fields of what is logged as an error. */
function keepingErrors(lines: object[]): Log {
  const ignore = () => {};
  const keeping: Log = {
    ...{ debug: ignore, info: ignore, warn: ignore },
    error: (fields) => void lines.push(fields),
    child: () => keeping,
  };
  return keeping;
}

async function proxied(options: Parameters<typeof runDispatcher>[1] = {}) {
  const proxy = stage.keep(await startFlakyProxy({ target: { host: "127.0.0.1", port: stage.redis.port } }));
  return { proxy, dispatcher: stage.keep(await runDispatcher(proxy.url, options)) };
}

describe("after a pause of Redis", () => {
  it("a grace that ended in it starts again, after the hold", async () => {
    const namespace = stage.freshNamespace();
    const dispatcher = await stage.dispatcher({ holdMs: 1_000 });
    const { gateway, session, job, offeredAgain } = await stage.runningJob(namespace, "reporting");
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await stage.caller.lose(namespace, session);
    const backAtMs = await pauseRedis(dispatcher);
    const holdAndGraceMs = 1_000 + testPolicy.graceMs;
    await waitUntil("it is resumed in the end", () => offeredAgain().length > 0, {
      invariant: async () => {
        if (Date.now() - backAtMs < holdAndGraceMs - 100)
          expect(await stage.stateOf(namespace, job)).toBe("orphaned");
      },
    });
    expect(Date.now() - backAtMs).toBeGreaterThanOrEqual(holdAndGraceMs - 50);
    expect(await dispatcher.metric('holds_total{cause="lease"}')).toBe(1);
  });

  it("presence is not asked before gateways had time to assert", async () => {
    const namespace = stage.freshNamespace();
    const presence = staticPresence("absent");
    const dispatcher = await stage.dispatcher({ holdMs: 1_000, presence });
    const { session } = await stage.runningJob(namespace, "reporting");
    const backAtMs = await pauseRedis(dispatcher);
    await stage.caller.lose(namespace, session);
    await waitUntil("it is asked", () => presence.asked.length > 0);
    expect(Date.now() - backAtMs).toBeGreaterThanOrEqual(950);
  });

  it("a gateway whose lease ended in it is swept only if it does not come back", async () => {
    const namespace = stage.freshNamespace();
    const dispatcher = await stage.dispatcher({ holdMs: 1_000 });
    const [back, gone] = [await stage.gateway(), await stage.gateway()];
    const stays = await stage.caller.session(namespace, "stays", back.nodeId);
    await stage.caller.session(namespace, "goes", gone.nodeId);
    const jobs = [await stage.caller.order(namespace, "stays"), await stage.caller.order(namespace, "goes")];
    for (const { offers } of [back, gone]) {
      const offer = await waitUntil("it is offered", () => offers()[0]);
      expect(await stage.caller.take(offer, "reporting")).toBe("started");
    }
    for (const { nodeId: gateway } of [back, gone])
      await stage.caller.ledger.assertGateway({ namespace, gateway, leaseMs: 700, held: [] });
    const backAtMs = await pauseRedis(dispatcher);
    await stage.caller.session(namespace, "stays", back.nodeId, { session: stays });
    const [kept, lost] = jobs.map(({ job }) => job) as [string, string];
    await waitUntil(
      "the other one is lost",
      async () => (await stage.stateOf(namespace, lost)) === "orphaned",
      {
        invariant: async () => expect(await stage.stateOf(namespace, kept)).toBe("running"),
      },
    );
    expect(Date.now() - backAtMs).toBeGreaterThanOrEqual(950);
    expect(await stage.stateOf(namespace, kept)).toBe("running");
  });

  it("claims go on, and what waits is tried", async () => {
    const namespace = stage.freshNamespace();
    const dispatcher = await stage.dispatcher({ holdMs: 15_000 });
    await pauseRedis(dispatcher);
    const { offers, nodeId } = await stage.gateway();
    const parked = await stage.caller.order(namespace, "greeter", { upTo: "ledger" });
    await waitUntil("its guard fires", async () => (await stage.stateOf(namespace, parked.job)) === "parked");
    await stage.caller.session(namespace, "greeter", nodeId);
    const { job } = await stage.caller.order(namespace, "greeter");
    await waitUntil("both are offered", () => new Set(offers().map((offer) => offer.job)).size === 2);
    expect(offers().map((offer) => offer.job)).toContain(job);
  });
});

describe("after a start", () => {
  it("an order whose wait for its room is over is let wait for the hold", async () => {
    const namespace = stage.freshNamespace();
    const { order } = await stage.caller.order(namespace, "greeter", { upTo: "ledger", openForMs: 1 });
    const startedAtMs = Date.now();
    await stage.dispatcher({ holdMs: 1_500 });
    const isExpired = async () => (await stage.caller.orderState(namespace, order)) === "expired";
    await waitUntil("it expires", isExpired, { deadlineMs: 15_000 });
    expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(1_450);
  });

  it("a job whose waiting time is over expires at once: nobody who is away could change that", async () => {
    const namespace = stage.freshNamespace();
    const first = await runDispatcher(stage.redis.url);
    const { job } = await stage.caller.order(namespace, "greeter", { waitMs: 1_000 });
    await waitUntil("it waits", async () => (await stage.stateOf(namespace, job)) === "parked");
    await first.stop();
    const waitUntilMs = Number((await stage.caller.job(namespace, job)).wait_until);
    await waitUntil("its time is over", () => Date.now() > waitUntilMs + 50);
    const startedAtMs = Date.now();
    await stage.dispatcher({ holdMs: 15_000 });
    await waitUntil("it expires", async () => (await stage.stateOf(namespace, job)) === "ended");
    expect(Date.now() - startedAtMs).toBeLessThan(5_000);
    expect(await stage.caller.job(namespace, job)).toMatchObject({ outcome: "expired" });
  });

  it("an offer that is overdue is let stand for the hold", async () => {
    const namespace = stage.freshNamespace();
    const first = await runDispatcher(stage.redis.url);
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId);
    await stage.caller.order(namespace, "greeter");
    await waitUntil("it is offered", () => offers().length === 1);
    await first.stop();
    const { offeredAtMs } = await waitUntil("its offer is overdue", () =>
      offers().find((offer) => Date.now() > offer.offeredAtMs + testPolicy.claim.offerMs + 100),
    );
    const startedAtMs = Date.now();
    await stage.dispatcher({ holdMs: 1_000 });
    await waitUntil("it is offered again", () => offers().length === 2, { deadlineMs: 15_000 });
    expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(950);
    expect(offeredAtMs).toBeGreaterThan(0);
  });
});

describe("after a start with an orphan", () => {
  it("whose grace nobody saw end, another grace is given", async () => {
    const namespace = stage.freshNamespace();
    const first = await runDispatcher(stage.redis.url);
    const { gateway, session, job, offeredAgain } = await stage.runningJob(namespace, "reporting");
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await first.stop();
    await stage.caller.lose(namespace, session);
    const graceUntil = async () => Number((await stage.caller.job(namespace, job)).grace_until);
    await waitUntil("its grace is overdue", async () => Date.now() > (await graceUntil()) + 100);
    const [holdMs, graceMs] = [300, 1_000];
    const startedAtMs = Date.now();
    await stage.dispatcher({ holdMs, graceMs });
    await waitUntil("it is resumed in the end", () => offeredAgain().length > 0);
    expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(holdMs + graceMs - 50);
  });
});

describe("after a lost connection", () => {
  it("nothing is timed out until the hold is over", async () => {
    const namespace = stage.freshNamespace();
    const holdMs = 1_500;
    const { proxy, dispatcher } = await proxied({ holdMs });
    const startedAtMs = Date.now();
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId);
    await waitUntil("the hold of its start is over", () => Date.now() - startedAtMs > holdMs);
    await stage.caller.order(namespace, "greeter");
    await waitUntil("it is offered", () => offers().length === 1);
    const cutAtMs = Date.now();
    proxy.cut();
    await waitUntil("it is offered again", () => offers().length === 2);
    expect(Date.now() - cutAtMs).toBeGreaterThanOrEqual(holdMs - 50);
    expect(await dispatcher.metric('holds_total{cause="reconnect"}')).toBe(1);
  });
});

describe("a connection that is lost while presence is asked", () => {
  it("makes no evidence of what presence said before it", async () => {
    const namespace = stage.freshNamespace();
    const holdMs = 1_500;
    const answers: ((verdict: PresenceVerdict) => void)[] = [];
    const ask = () => new Promise<PresenceVerdict>((resolve) => void answers.push(resolve));
    const presence = { ...noPresence, ask };
    const { proxy, dispatcher } = await proxied({ holdMs, presence, presenceLimitMs: 60_000 });
    const { session, job, offeredAgain } = await stage.runningJob(namespace, "reporting");
    await stage.caller.session(namespace, "greeter", (await stage.gateway()).nodeId);
    await stage.caller.lose(namespace, session);
    await waitUntil("presence is asked", () => answers.length > 0);
    const cutAtMs = Date.now();
    proxy.cut();
    const holds = () => dispatcher.metric('holds_total{cause="reconnect"}');
    await waitUntil("its hold has begun", async () => (await holds()) === 1);
    for (const answer of answers.splice(0)) answer("absent");
    await waitUntil("it is asked again", () => answers.length > 0, {
      invariant: async () => expect(await stage.stateOf(namespace, job)).toBe("orphaned"),
    });
    expect(Date.now() - cutAtMs).toBeGreaterThanOrEqual(holdMs - 50);
    expect(offeredAgain()).toEqual([]);
    for (const answer of answers) answer("unknown");
  });
});

describe("a dispatcher that freezes", () => {
  it("loses its namespaces to one that does not hold for it, and changes nothing when it wakes up", async () => {
    const holdMs = 2_000;
    const options = { holdMs, leaseMs: LEASE_MS };
    const { proxy, dispatcher: frozen } = await proxied(options);
    const heir = await stage.dispatcher(options);
    const heirStartedAtMs = Date.now();
    const { nodeId, offers } = await stage.gateway();
    const nodes = [frozen.nodeId, heir.nodeId];
    let namespace = stage.freshNamespace();
    while (ownerOf(namespace, nodes) !== frozen.nodeId) namespace = stage.freshNamespace();
    const session = await stage.caller.session(namespace, "greeter", nodeId);
    await waitUntil("nobody holds any more", () => Date.now() - heirStartedAtMs > holdMs);
    const { job } = await stage.caller.order(namespace, "greeter");
    const first = await waitUntil("it is offered", () => offers()[0]);
    const frozenAtMs = Date.now();
    // All that it has sent and is about to read waits, and goes on its way when it wakes up.
    proxy.delay(Number.POSITIVE_INFINITY);
    const second = await waitUntil("the heir offers it again", () => offers()[1]);
    expect(Date.now() - frozenAtMs).toBeLessThan(holdMs);
    expect(second).toMatchObject({ job, session, epoch: first.epoch + 1 });
    expect(await stage.caller.take(second, "reporting")).toBe("started");
    expect(await stage.caller.take(first, "reporting")).toBe("stale");

    const { offered_at: offeredAt } = await stage.caller.job(namespace, job);
    proxy.pass();
    const wokenAtMs = Date.now();
    await waitUntil(
      "it is awake, and its hold is over",
      () => frozen.ready() && Date.now() - wokenAtMs > holdMs + 300,
      {
        invariant: async () => {
          const now = await stage.caller.job(namespace, job);
          expect(now).toMatchObject({ state: "running", session, offered_at: offeredAt });
        },
      },
    );
    expect(offers()).toHaveLength(2);
    expect(await frozen.metric('holds_total{cause="lease"}')).toBe(1);
    expect(await heir.metric('holds_total{cause="lease"}')).toBe(0);
  });
});

describe("a Redis that was flushed", () => {
  it("is counted as another generation, and work goes on", async () => {
    await stage.redis.flush();
    const namespace = stage.freshNamespace();
    const waiting = [1, 2].map(() => stage.caller.order(namespace, "nobody", { upTo: "ledger" }));
    await Promise.all(waiting);
    const lines: object[] = [];
    const dispatcher = await stage.dispatcher({ holdMs: 300, log: keepingErrors(lines) });
    await waitUntil("its host has looked", () => dispatcher.hosted() === 1);
    await stage.redis.flush();
    const changes = () => dispatcher.metric("generation_changes_total");
    await waitUntil("it is noticed", async () => (await changes()) === 1);
    expect(await dispatcher.metric('holds_total{cause="generation"}')).toBe(1);
    await waitUntil("what was lost is said", () => lines.length === 2);
    expect(lines).toMatchObject([
      { namespaces: 1, jobs: 2, sessions: 0 },
      { lost: { namespaces: 1, jobs: 2, sessions: 0 } },
    ]);
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId);
    const { job } = await stage.caller.order(namespace, "greeter");
    await waitUntil("new work is offered", () => offers().some((offer) => offer.job === job));
  });
});
