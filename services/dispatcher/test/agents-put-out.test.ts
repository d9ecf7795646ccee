/** Agents that have no business in their room any more: of stopped jobs, and of jobs that are given to another. */

import type { Stop } from "@muster/ledger/shapes";
import { roomServiceOf } from "@muster/livekit/settings";
import { systemClock } from "@muster/runtime/clock";
import { type LivekitStandIn, startLivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { noPresence, type PresenceVerdict } from "../src/presence.js";
import { staticPresence, testPolicy } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("agents-put-out");
const REMOVAL_MS = 1_000;
let livekit: LivekitStandIn;

beforeEach(async () => {
  livekit = await startLivekitStandIn();
});
afterEach(() => livekit.stop());

const roomService = () =>
  roomServiceOf({ url: livekit.url, keys: new Map([["devkey", "secret"]]) }, systemClock);
const asked = (method: string) => livekit.calls.filter((call) => call.method === method).length;

/** A job that runs with its agent in the room, on a worker that has room for one. */
async function served(verdict: PresenceVerdict = "unknown", asks = true) {
  const namespace = stage.freshNamespace();
  const presence = staticPresence(verdict);
  const service = asks ? roomService() : undefined;
  const dispatcher = await stage.dispatcher({ presence, ...(service && { roomService: service }) });
  const running = await stage.runningJob(namespace, "reporting");
  const { room } = running.offer;
  const identity = `agent-${running.job}`;
  const joins = (epoch: string, job = running.job) =>
    livekit.rooms.join(room, identity, {
      kind: "agent",
      attributes: { "muster.job": job, "muster.epoch": epoch },
    });
  joins("1");
  await stage.caller.ledger.noteAgent({
    ...{ namespace, job: running.job, identity, sid: "PA_1", joinedAt: 1_000 },
    ...{ hasLeft: false, how: "", rejoinMs: 5_000 },
  });
  return {
    ...{ namespace, dispatcher, room, identity, joins, ...running },
    isThere: () => livekit.rooms.hasLive(room, identity),
    removed: (reason: string) => dispatcher.metric(`agents_removed_total{reason="${reason}"}`),
    isStopped: async () =>
      (await stage.caller.redis.hlen(`muster:{${namespace}}:stops`)) === 0 ? "over" : "open",
    terminate: () =>
      stage.caller.ledger.terminateJob({
        ...{ namespace, job: running.job, cause: "terminated", reason: "enough" },
        ...{ stopMs: 20_000, removeMs: 100 },
      }),
  };
}

describe("the agent of a stopped job", () => {
  it("that is still in its room is put out, and then its worker's place is free", async () => {
    const { terminate, isThere, isStopped, removed } = await served();
    await terminate();
    await waitUntil("it is put out", () => !isThere());
    await waitUntil("the stop is over", async () => (await isStopped()) === "over");
    expect(await removed("stopped")).toBe(1);
  });

  it("that has left already is not put out, and its worker's place is free at once", async () => {
    const { terminate, room, identity, isStopped, removed } = await served();
    livekit.rooms.leave(room, identity);
    await terminate();
    await waitUntil("the stop is over", async () => (await isStopped()) === "over", { deadlineMs: 1_900 });
    expect(await removed("stopped")).toBe(0);
    expect(asked("RemoveParticipant")).toBe(0);
  });

  it("is none under whose identity another job's agent joined since: that one stays", async () => {
    const { terminate, joins, isThere, isStopped } = await served();
    joins("1", "AJ_another");
    await terminate();
    await waitUntil("the stop is over", async () => (await isStopped()) === "over");
    expect(isThere()).toBe(true);
  });

  it("is looked for again while LiveKit is away", async () => {
    const { namespace, terminate, isThere, isStopped } = await served();
    await livekit.goDown();
    await terminate();
    await waitUntil("it was looked for", async () => {
      const [stop = "{}"] = await stage.caller.redis.hvals(`muster:{${namespace}}:stops`);
      return (JSON.parse(stop) as Stop).looks === 1;
    });
    expect(await isStopped()).toBe("open");
    await livekit.comeBack();
    await waitUntil("it is put out", () => !isThere(), { deadlineMs: 8_000 });
  });

  it("is left alone where LiveKit cannot be asked", async () => {
    const { terminate, isThere, namespace } = await served("unknown", false);
    await terminate();
    const due = async () =>
      (await stage.caller.redis.zrange(`muster:{${namespace}}:deadlines`, "0", "-1", "WITHSCORES")).flat();
    const first = (await due()).join();
    await waitUntil("its timer was looked at", async () => (await due()).join() !== first);
    expect(isThere()).toBe(true);
    expect(livekit.calls).toEqual([]);
  });
});

describe("the agent of a lost worker", () => {
  it("that may be in the room is put out before its job is offered to another", async () => {
    const { namespace, gateway, session, offeredAgain, isThere, removed } = await served();
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await stage.caller.lose(namespace, session);
    await waitUntil("it is offered again", () => offeredAgain().length > 0, {
      invariant: () => expect(offeredAgain().length > 0 && isThere()).toBe(false),
    });
    expect(isThere()).toBe(false);
    expect(await removed("resumed")).toBe(1);
  });

  it("holds its job's next offer up for a second at most", async () => {
    const { namespace, gateway, session, offeredAgain } = await served();
    livekit.fail("GetParticipant", { kind: "hold", until: new Promise(() => undefined) }, 3);
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await stage.caller.lose(namespace, session);
    const lostAtMs = performance.now();
    await waitUntil("it is offered again", () => offeredAgain().length > 0);
    const tookMs = performance.now() - lostAtMs;
    expect(tookMs).toBeGreaterThan(testPolicy.graceMs);
    // And what a busy machine takes.
    expect(tookMs).toBeLessThan(testPolicy.graceMs + REMOVAL_MS + 1_500);
  });

  it("that is known to be absent is not looked for", async () => {
    const { namespace, gateway, session, room, offeredAgain } = await served("absent");
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await stage.caller.lose(namespace, session);
    await waitUntil("it is offered again", () => offeredAgain().length > 0);
    // A call that the test before gave up can still be on its way, of another room.
    expect(livekit.calls.filter(({ request }) => request.room === room)).toEqual([]);
  });

  it("in a room where nobody is left is replaced by nobody", async () => {
    const namespace = stage.freshNamespace();
    const presence = { ...noPresence, ask: async () => "absent" as const, isDeserted: async () => true };
    await stage.dispatcher({ presence });
    const { gateway, session, job, offeredAgain } = await stage.runningJob(namespace, "reporting");
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await stage.caller.lose(namespace, session);
    await waitUntil("it has ended", async () => (await stage.stateOf(namespace, job)) === "ended");
    expect(await stage.caller.job(namespace, job)).toMatchObject({
      outcome: "success",
      cause: "nobody_left",
    });
    expect(offeredAgain()).toEqual([]);
  });
});
