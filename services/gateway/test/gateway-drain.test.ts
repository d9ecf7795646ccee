import { waitUntil } from "@muster/test/kit/wait-until";
import { connectWorker, type UpgradeRefused } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { agentToken, bench, cleanUp, stopRedis, TRANSPORT_KINDS } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

describe.each(TRANSPORT_KINDS)("a gateway that stops, on %s", (transport) => {
  it("closes every socket with 1001, and leaves nothing of itself", async () => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const idle = await test.registered(gateway);
    const unregistered = await test.worker(gateway);
    const asked = await test.registered(gateway, "asked");
    const { job } = await test.dispatcher.order({ agentName: "asked" });
    await test.dispatcher.offer(job);
    await asked.next("availability");

    await gateway.stop();

    for (const worker of [idle, unregistered, asked]) expect((await worker.closed()).code).toBe(1001);
    expect(await test.client.zcard(`muster:{${test.namespace}}:sessions`)).toBe(0);
    expect(await test.client.zscore("muster:{nodes}:gateway", gateway.nodeId)).toBeNull();
    expect(await test.client.exists(`muster:inbox:{${gateway.nodeId}}`)).toBe(0);
    await waitUntil("the offer went back", () =>
      test.dispatcher.told.some((m) => m.kind === "admit" && m.job === job),
    );
    expect((await test.dispatcher.job(job)).state).toBe("queued");
    expect(gateway.connections()).toBe(0);
    expect(gateway.ready()).toBe(false);
    await expect(connectWorker({ url: gateway.url, token: agentToken() })).rejects.toThrow();
  });
});

it("serves the others while it closes one after the other, and takes nobody new", async () => {
  const test = await bench();
  const gateway = await test.start({ policy: { drainMs: 600 } });
  const workers = [
    await test.registered(gateway),
    await test.registered(gateway),
    await test.registered(gateway),
  ];
  const startedAt = performance.now();
  const stopping = gateway.stop();
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
  const refused = await connectWorker({ url: gateway.url, token: agentToken() }).catch(
    (error: unknown) => error,
  );
  expect((refused as UpgradeRefused).status).toBe(503);

  const first = await waitUntil("one is closed", () => workers.find((worker) => !worker.isOpen));
  const rest = workers.filter((worker) => worker !== first);
  expect(rest.every((worker) => worker.isOpen)).toBe(true);
  const { job } = await test.dispatcher.order();
  const offer = await test.dispatcher.offer(job);
  const asked = rest.find((worker) => worker.id === offer.session);
  expect(asked).toBeDefined();
  await asked?.next("availability");
  asked?.accept(job);
  expect((await asked?.next("assignment"))?.job?.id).toBe(job);
  await stopping;
  expect(performance.now() - startedAt).toBeGreaterThan(350);
  // Its worker runs on, and will be back elsewhere.
  expect((await test.dispatcher.job(job)).state).toBe("orphaned");
});

it("still assigns what was accepted when its turn came", async () => {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  const { job } = await test.dispatcher.order();
  await test.dispatcher.offer(job);
  await worker.next("availability");
  test.redis.freeze();
  worker.accept(job);
  await worker.ping();
  const stopping = gateway.stop();
  test.redis.thaw();
  expect((await worker.next("assignment")).job?.id).toBe(job);
  expect((await worker.closed()).code).toBe(1001);
  await stopping;
});

it("stops in time without Redis", async () => {
  const test = await bench();
  const gateway = await test.start();
  const worker = await test.registered(gateway);
  test.redis.freeze();
  try {
    const startedAt = performance.now();
    await gateway.stop();
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    expect((await worker.closed()).code).toBe(1001);
  } finally {
    test.redis.thaw();
  }
});

it("stops once, however often it is asked", async () => {
  const test = await bench();
  const gateway = await test.start();
  await Promise.all([gateway.stop(), gateway.stop()]);
  await gateway.stop();
  expect(gateway.ready()).toBe(false);
});
