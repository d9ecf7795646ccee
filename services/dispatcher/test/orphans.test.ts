import { createLedger } from "@muster/ledger/ledger";
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, it } from "vitest";
import { noPresence, type PresenceVerdict } from "../src/presence.js";
import { staticPresence, testPolicy } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("orphans");

/** A job whose worker is lost while presence says this of it; another worker has room for it. */
async function orphan(
  verdict: PresenceVerdict,
  worker: "reporting" | "silent",
  policy: { graceMs?: number; resumeUnproven?: boolean; silentJobMs?: number; startMs?: number } = {},
) {
  const namespace = stage.freshNamespace();
  const presence = staticPresence(verdict);
  const dispatcher = await stage.dispatcher({ ...policy, presence });
  // Short, so that a job that was accepted and not seen has had its time to start.
  const running = await stage.runningJob(namespace, worker, 1);
  const other = await stage.caller.session(namespace, "greeter", running.gateway.nodeId);
  await stage.caller.lose(namespace, running.session);
  const lostAtMs = Date.now();
  return { ...running, namespace, presence, dispatcher, other, lostAtMs };
}

describe("an orphan whose agent is gone from the room", () => {
  it.each(["reporting", "silent"] as const)(
    "of a %s worker is resumed at once, elsewhere",
    async (worker) => {
      const { namespace, job, other, offer, offeredAgain, presence, dispatcher, lostAtMs } = await orphan(
        "absent",
        worker,
      );
      const [again] = await waitUntil(
        "it is offered again",
        () => offeredAgain().length > 0 && offeredAgain(),
      );
      if (worker === "reporting") expect(Date.now() - lostAtMs).toBeLessThan(testPolicy.graceMs);
      expect(again).toMatchObject({ session: other, resuming: true, wire: `${job}.2` });
      expect(offer.resuming).toBe(false);
      const { participantSid, ...asked } = presence.asked[0] ?? { participantSid: "" };
      expect(asked).toEqual({ namespace, job, room: offer.room, agentIdentity: `agent-${job}` });
      expect(participantSid).toBe("");
      expect(await dispatcher.metric('redispatches_total{reason="worker_lost"}')).toBe(1);
      const settled = 'orphans_settled_total{verdict="absent",outcome="resumed"}';
      expect(await dispatcher.metric(settled)).toBe(1);
    },
  );

  it("is resumed although the hint was lost with the dispatcher that was told", async () => {
    const namespace = stage.freshNamespace();
    const first = await stage.dispatcher();
    const { gateway, session, offeredAgain } = await stage.runningJob(namespace, "reporting");
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await first.stop();
    // Lost for longer than the next dispatcher is waited for: only a look at its start can find it so soon.
    const ledger = createLedger(stage.caller.redis);
    await ledger.deregisterSession({
      namespace,
      session,
      goodbye: false,
      clean: false,
      graceMs: 60_000,
      guardMs: 60_000,
    });
    await stage.dispatcher({ presence: staticPresence("absent") });
    await waitUntil("it is offered again", () => offeredAgain().length > 0);
  });
});

describe("an orphan whose agent has not joined yet", () => {
  it("may still be on its way in until the start deadline; then it is taken for gone", async () => {
    const startMs = 2_000;
    const { offeredAgain, presence, dispatcher, job, namespace } = await orphan("absent", "reporting", {
      ...{ startMs, graceMs: 60_000 },
    });
    const startedAtMs = Number((await stage.caller.job(namespace, job)).started_at);
    await waitUntil("it is offered again", () => offeredAgain().length > 0);
    expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(startMs - 50);
    expect(presence.asked.length).toBeGreaterThanOrEqual(2);
    expect(await dispatcher.metric('orphans_settled_total{verdict="absent",outcome="kept"}')).toBe(1);
  });
});

describe("an orphan whose agent is still in the room", () => {
  it("is kept for as long as it is seen there, and goes on from where it was", async () => {
    const { namespace, job, presence, offeredAgain, dispatcher } = await orphan("present", "reporting");
    const asked = () => presence.asked.length;
    await waitUntil("it was asked about again and again", () => asked() >= 4, {
      invariant: async () => expect(await stage.stateOf(namespace, job)).toBe("orphaned"),
    });
    presence.verdicts.set(job, "absent");
    await waitUntil("it is resumed once its agent has left", () => offeredAgain().length > 0);
    const kept = 'orphans_settled_total{verdict="present",outcome="kept"}';
    expect(await dispatcher.metric(kept)).toBeGreaterThanOrEqual(4);
  });

  it("ends as unknown when that goes on beyond all bounds", async () => {
    const { namespace, job, offeredAgain } = await orphan("present", "reporting", { silentJobMs: 900 });
    await waitUntil("it has ended", async () => (await stage.stateOf(namespace, job)) === "ended");
    expect(await stage.caller.job(namespace, job)).toMatchObject({
      outcome: "unknown",
      cause: "worker_lost",
    });
    expect(offeredAgain()).toEqual([]);
  });
});

describe("an orphan of which nobody knows", () => {
  it("of a reporting worker is resumed when its grace is over, and not before", async () => {
    const { offeredAgain, lostAtMs } = await orphan("unknown", "reporting");
    await waitUntil("it is offered again", () => offeredAgain().length > 0);
    expect(Date.now() - lostAtMs).toBeGreaterThanOrEqual(testPolicy.graceMs - 50);
    expect(offeredAgain()[0]).toMatchObject({ resuming: true });
  });

  it("of a silent worker is kept, and ends as unknown at its bound", async () => {
    const { namespace, job, presence, offeredAgain } = await orphan("unknown", "silent", {
      silentJobMs: 1_500,
    });
    await waitUntil("it was asked about after its grace", () => presence.asked.length >= 3, {
      invariant: async () => expect(await stage.stateOf(namespace, job)).toBe("orphaned"),
    });
    await waitUntil("it has ended", async () => (await stage.stateOf(namespace, job)) === "ended");
    expect(await stage.caller.job(namespace, job)).toMatchObject({ outcome: "unknown" });
    expect(offeredAgain()).toEqual([]);
  });

  it("of a silent worker is resumed after its grace when that is asked for", async () => {
    const { offeredAgain, lostAtMs } = await orphan("unknown", "silent", { resumeUnproven: true });
    await waitUntil("it is offered again", () => offeredAgain().length > 0);
    expect(Date.now() - lostAtMs).toBeGreaterThanOrEqual(testPolicy.graceMs - 50);
  });

  it.each([
    ["does not answer", () => new Promise<never>(() => {})],
    ["fails", () => Promise.reject(new Error("LiveKit is down"))],
  ])("is one for which presence %s: its grace counts, and other timers go on", async (_, ask) => {
    const namespace = stage.freshNamespace();
    await stage.dispatcher({ presence: { ...noPresence, ask } });
    const { gateway, session, offeredAgain } = await stage.runningJob(namespace, "reporting");
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await stage.caller.lose(namespace, session);
    const lostAtMs = Date.now();
    const { job } = await stage.caller.order(namespace, "nobody-else", { upTo: "ledger" });
    await waitUntil(
      "another job's guard fires",
      async () => (await stage.stateOf(namespace, job)) === "parked",
    );
    await waitUntil("the orphan is resumed after its grace", () => offeredAgain().length > 0);
    expect(Date.now() - lostAtMs).toBeGreaterThanOrEqual(testPolicy.graceMs - 50);
  });
});

describe("the guard", () => {
  it("keeps all orphans of a gateway that takes most workers with it, and is counted", async () => {
    const namespace = stage.freshNamespace();
    const dispatcher = await stage.dispatcher();
    const lost = await stage.gateway();
    const sessions = await Promise.all(
      ["a", "b", "c"].map(() => stage.caller.session(namespace, "greeter", lost.nodeId, { leaseMs: 1_500 })),
    );
    // Who was there for a moment only is no witness of an outage.
    for (const id of sessions)
      await stage.caller.redis.hset(
        `muster:{${namespace}}:session:${id}`,
        "connected_at",
        Date.now() - 60_000,
      );
    const { job } = await stage.caller.order(namespace, "greeter");
    const offer = await waitUntil("it is offered", () => lost.offers()[0]);
    expect(await stage.caller.take(offer, "reporting")).toBe("started");
    expect(sessions).toContain(offer.session);
    const { nodeId, offers } = await stage.gateway();
    await stage.caller.session(namespace, "greeter", nodeId);
    await waitUntil("the guard is up", async () => (await dispatcher.metric("guards_raised_total")) === 1);
    const kept = 'orphans_settled_total{verdict="unknown",outcome="kept"}';
    await waitUntil("grace is over and it is kept", async () => (await dispatcher.metric(kept)) >= 2, {
      invariant: async () => expect(await stage.stateOf(namespace, job)).toBe("orphaned"),
    });
    expect(offers()).toEqual([]);
  });
});
