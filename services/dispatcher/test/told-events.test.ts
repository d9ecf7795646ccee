/** What the scripts told of a namespace's jobs reaches the feed of its project, and keeps no namespace awake. */

import { projectOf } from "@muster/domain/namespace";
import { systemClock as clock } from "@muster/runtime/clock";
import { EventFeed } from "@muster/runtime/events/event-feed";
import { ListenerBoard } from "@muster/runtime/events/listener-board";
import { waitUntil } from "@muster/test/kit/wait-until";
import { describe, expect, it } from "vitest";
import { runDispatcher } from "./kit.js";
import { setStage } from "./stage.js";

const stage = setStage("told-events");
const LISTEN_MS = 60_000;
let projects = 0;

/** A namespace of a project of its own, that somebody listens to. */
async function listenedNamespace() {
  const namespace = `listened${++projects}:blue`;
  const { redis } = stage.caller;
  await new ListenerBoard({ redis, clock }).keep(projectOf(namespace), LISTEN_MS);
  const feed = new EventFeed({ redis, project: projectOf(namespace) });
  const names = async (job: string) => {
    const entries = await feed.after("0-0", 1_000);
    return entries
      .filter(({ event }) => event.job === job)
      .map(({ event }) => event.event.replace("agent_job_", ""));
  };
  return { namespace, names };
}

const isThere = async (key: string) => (await stage.caller.redis.exists(key)) === 1;

// First: a dispatcher also looks after the namespaces of the tests before.
describe("a namespace that nobody listens to", () => {
  it("tells nothing, and its outbox is not looked at", async () => {
    const namespace = stage.freshNamespace();
    const dispatcher = await stage.dispatcher();
    const { offeredAgain, offer } = await stage.runningJob(namespace, "reporting");
    await stage.caller.finish(offer);
    expect(offeredAgain()).toEqual([]);
    expect(await isThere(`muster:{${namespace}}:events`)).toBe(false);
    expect(Object.keys(dispatcher.commands.byName())).not.toContain("xrange");
  });
});

describe("a namespace that is listened to", () => {
  it("tells the life of a job, soon, in its order, and rests when it is over", async () => {
    const { namespace, names } = await listenedNamespace();
    await stage.dispatcher();
    const gateway = await stage.gateway();
    const session = await stage.caller.session(namespace, "greeter", gateway.nodeId, { cap: 1 });
    const { job } = await stage.caller.order(namespace, "greeter", { listenMs: LISTEN_MS });
    const offer = await waitUntil("it is offered", () => gateway.offers().find((one) => one.job === job));
    await stage.caller.take(offer, "reporting");
    const acceptedAtMs = performance.now();
    const untilStarted = ["queued", "offered", "started"];
    await waitUntil("its start is told", async () => (await names(job)).length === 3);
    // The look at the namespace comes every 2 s only.
    expect(performance.now() - acceptedAtMs).toBeLessThan(1_500);
    expect(await names(job)).toEqual(untilStarted);
    await stage.caller.finish(offer);
    await stage.caller.lose(namespace, session);
    await waitUntil("its end is told", async () => (await names(job)).length === 4, { deadlineMs: 6_000 });
    expect(await names(job)).toEqual([...untilStarted, "ended"]);
    const isAwake = () => stage.caller.redis.hexists(`muster:{${namespace}}:index`, "awake");
    await waitUntil("the namespace rests", async () => (await isAwake()) === 0, { deadlineMs: 10_000 });
    expect(await stage.caller.redis.xlen(`muster:{${namespace}}:events`)).toBe(0);
    expect(await isThere(`muster:{${namespace}}:listening`)).toBe(false);
  });

  it("is told so by the dispatcher when the listener came after the work", async () => {
    const { namespace, names } = await listenedNamespace();
    const { job } = await stage.caller.order(namespace, "greeter", { listenMs: 0 });
    await stage.dispatcher();
    await waitUntil("its scripts know", () => isThere(`muster:{${namespace}}:listening`), {
      deadlineMs: 12_000,
    });
    const gateway = await stage.gateway();
    await stage.caller.session(namespace, "greeter", gateway.nodeId);
    await waitUntil("its offer is told", async () => (await names(job)).includes("offered"));
  });

  it("loses nothing when its host dies before it moved on what was told, and tells nothing twice", async () => {
    const { namespace, names } = await listenedNamespace();
    const first = await runDispatcher(stage.redis.url);
    const { job } = await stage.caller.order(namespace, "greeter", { listenMs: LISTEN_MS });
    await waitUntil("it is parked", async () => (await stage.stateOf(namespace, job)) === "parked");
    await first.stop();
    const gateway = await stage.gateway();
    await stage.caller.session(namespace, "greeter", gateway.nodeId, { told: false });
    await stage.dispatcher();
    const offer = await waitUntil("it is offered", () => gateway.offers().find((one) => one.job === job), {
      deadlineMs: 8_000,
    });
    await stage.caller.take(offer, "reporting");
    await waitUntil("all is told", async () => (await names(job)).includes("started"), { deadlineMs: 6_000 });
    expect(await names(job)).toEqual(["queued", "parked", "offered", "started"]);
  });
});
