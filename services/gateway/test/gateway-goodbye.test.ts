/** What the end of a socket means for the jobs on it: a drained worker's goodbye, or anything else. */
import { waitUntil } from "@muster/test/kit/wait-until";
import type { WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  type Bench,
  bench,
  cleanUp,
  type RunningGateway,
  stopRedis,
  TRANSPORT_KINDS,
} from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

async function assigned(test: Bench, gateway: RunningGateway) {
  const worker = await test.registered(gateway);
  const { job } = await test.dispatcher.order();
  await test.dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  return { worker, job };
}

/** As the Node SDK does at SIGTERM, which counts no jobs: the second when its next report is due. */
async function drain(test: Bench, worker: WorkerClient): Promise<void> {
  worker.sample({ status: 1, load: 0 });
  worker.sample({ status: 1, load: 1 });
  await waitUntil("it drains", async () => (await test.dispatcher.session(worker.id)).draining === "1");
}

const isTold = (test: Bench, job: string) =>
  test.dispatcher.told.some((message) => message.kind === "orphan" && message.job === job);

describe.each(TRANSPORT_KINDS)("a socket that ends, on %s", (transport) => {
  it.each([1000, 1001])("with %s by a worker that drained: its jobs are done", async (code) => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const { worker, job } = await assigned(test, gateway);
    await drain(test, worker);
    await worker.close(code);
    await waitUntil("the job ended", async () => (await test.dispatcher.job(job)).state === "ended");
    expect(await test.dispatcher.job(job)).toMatchObject({ outcome: "success", cause: "goodbye" });
    expect(isTold(test, job)).toBe(false);
    expect(gateway.counts).toMatchObject({ job_ended_goodbye: 1, job_orphaned: 0 });
  });

  it("cut, of a worker that drained: an orphan", async () => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const { worker, job } = await assigned(test, gateway);
    await drain(test, worker);
    worker.cut();
    await waitUntil("presence is asked", () => isTold(test, job));
    expect((await test.dispatcher.job(job)).state).toBe("orphaned");
  });

  it("with 1000 by a worker that did not drain: an orphan", async () => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const { worker, job } = await assigned(test, gateway);
    await worker.close();
    await waitUntil("presence is asked", () => isTold(test, job));
    expect((await test.dispatcher.job(job)).state).toBe("orphaned");
  });

  it("because the gateway stops, of a worker that drains: an orphan, for it did not leave", async () => {
    const test = await bench();
    const gateway = await test.start({ transport });
    const { worker, job } = await assigned(test, gateway);
    await drain(test, worker);
    await gateway.stop();
    expect((await worker.closed()).code).toBe(1001);
    expect((await test.dispatcher.job(job)).state).toBe("orphaned");
    await waitUntil("presence is asked", () => isTold(test, job));
  });
});
