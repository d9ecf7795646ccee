import { startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createCaller } from "./caller.js";
import { newId, runDispatcher, runGateway } from "./kit.js";

let redis: Awaited<ReturnType<typeof startRedis>>;
let caller: ReturnType<typeof createCaller>;
const toStop: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  redis = await startRedis();
  caller = createCaller(redis.url);
});
afterEach(async () => {
  for (const part of toStop.splice(0).reverse()) await part.stop();
});
afterAll(async () => {
  await caller.stop();
  await redis.stop();
});

const dispatcher = async (policy = {}) => keep(await runDispatcher(redis.url, policy));
const gateway = async () => keep(await runGateway(redis.url));
function keep<T extends { stop(): Promise<unknown> }>(part: T): T {
  toStop.push(part);
  return part;
}
let count = 0;
const freshNamespace = () => `default:placement-${++count}`;
const stateOf = async (namespace: string, job: string) =>
  caller.redis.hget(`muster:{${namespace}}:job:${job}`, "state");

describe("placing a job", () => {
  it("offers it at the gateway of a session that can take it, with all that the request needs", async () => {
    const namespace = freshNamespace();
    await dispatcher();
    const { nodeId, offers } = await gateway();
    const session = await caller.session(namespace, "greeter", nodeId);
    const { order, job } = await caller.order(namespace, "greeter");
    const [offer] = await waitUntil("an offer arrives", () => offers().length === 1 && offers());
    expect(offer).toMatchObject({ namespace, session, job, wire: job, epoch: 1, order, type: "room" });
    expect(offer).toMatchObject({
      room: `room-of-${order}`,
      metadata: "hello",
      attributes: { a: "b" },
      agentName: "greeter",
    });
    expect(await stateOf(namespace, job)).toBe("offered");
  });

  it("parks it without a worker, and offers it when one comes", async () => {
    const namespace = freshNamespace();
    await dispatcher();
    const { nodeId, offers } = await gateway();
    const { job } = await caller.order(namespace, "late");
    await waitUntil("the job is parked", async () => (await stateOf(namespace, job)) === "parked");
    await caller.session(namespace, "late", nodeId);
    await waitUntil("it is offered", () => offers().some((offer) => offer.job === job));
  });

  it("goes past a gateway that is gone", async () => {
    const namespace = freshNamespace();
    await dispatcher();
    await caller.session(namespace, "greeter", newId("node"));
    const { nodeId, offers } = await gateway();
    await caller.session(namespace, "greeter", nodeId);
    const jobs = [await caller.order(namespace, "greeter"), await caller.order(namespace, "greeter")];
    for (const { job } of jobs)
      await waitUntil("it is offered where one listens", () => offers().some((offer) => offer.job === job));
  });

  it("offers it anew when no answer came, under another wire id and epoch, and blames nobody", async () => {
    const namespace = freshNamespace();
    await dispatcher();
    const { nodeId, offers } = await gateway();
    const session = await caller.session(namespace, "slow", nodeId);
    const { job } = await caller.order(namespace, "slow");
    const [first, second] = await waitUntil("two offers", () => offers().length === 2 && offers());
    expect(second).toMatchObject({ job, session, wire: `${job}.2` });
    expect(second?.epoch).toBeGreaterThan(first?.epoch ?? 0);
    expect(await caller.redis.hget(`muster:{${namespace}}:session:${session}`, "struck")).toBeNull();
  });
});

describe("a lost step", () => {
  it.each(["ledger", "queue"] as const)("is made good when the caller died after %s", async (upTo) => {
    const namespace = freshNamespace();
    await dispatcher();
    const { nodeId, offers } = await gateway();
    await caller.session(namespace, "greeter", nodeId);
    const { job } = await caller.order(namespace, "greeter", { upTo });
    await waitUntil("it is offered all the same", () => offers().some((offer) => offer.job === job));
  });

  it("is made good when no dispatcher ran at the time", async () => {
    const namespace = freshNamespace();
    const { nodeId, offers } = await gateway();
    await caller.session(namespace, "greeter", nodeId);
    const { job } = await caller.order(namespace, "greeter");
    expect(await stateOf(namespace, job)).toBe("queued");
    await dispatcher();
    await waitUntil("the first dispatcher finds it", () => offers().some((offer) => offer.job === job));
  });
});

describe("several dispatchers", () => {
  it("share the namespaces, and take over those of one that stops", async () => {
    const first = await dispatcher();
    const second = await runDispatcher(redis.url);
    const { nodeId, offers } = await gateway();
    const namespaces = Array.from({ length: 24 }, freshNamespace);
    for (const namespace of namespaces) await caller.session(namespace, "greeter", nodeId);
    for (const namespace of namespaces) await caller.order(namespace, "greeter");
    await waitUntil(
      "all are offered",
      () => new Set(offers().map((offer) => offer.namespace)).size === namespaces.length,
    );
    expect(first.hosted()).toBeGreaterThan(0);
    expect(second.hosted()).toBeGreaterThan(0);
    await second.stop();
    const again = await Promise.all(namespaces.map((namespace) => caller.order(namespace, "greeter")));
    const offered = () => new Set(offers().map((offer) => offer.job));
    await waitUntil("the other serves them all", () => again.every(({ job }) => offered().has(job)), {
      deadlineMs: 10_000,
    });
  });
});

describe("ended work", () => {
  it("is forgotten when its time of keeping is over", async () => {
    const namespace = freshNamespace();
    await dispatcher({ retainMs: 200 });
    const { job } = await caller.order(namespace, "greeter");
    await caller.ledger.terminateJob({
      namespace,
      job,
      cause: "terminated",
      reason: "not wanted",
      stopMs: 500,
      removeMs: 0,
    });
    await caller.redis.zadd(`muster:{${namespace}}:deadlines`, 1, "sweep");
    await waitUntil("the job is gone", async () => (await stateOf(namespace, job)) === null);
  });
});
