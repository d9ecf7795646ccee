/** A gateway is told to go while its workers work: they land elsewhere, and no job is lost or doubled. */
import { startWorker } from "@muster/test/kit/simulated-worker";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { agentToken, bench, cleanUp, stopRedis, TRANSPORT_KINDS } from "./gateway-kit.js";

const workers: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
  await cleanUp();
});
afterAll(stopRedis);

describe.each(TRANSPORT_KINDS)("workers of a gateway that goes, on %s", (transport) => {
  it("come back elsewhere: one that migrates keeps its job, one that does not is waited for", async () => {
    const test = await bench();
    const [going, staying] = [
      await test.start({ transport, policy: { drainMs: 100 } }),
      await test.start({ transport, policy: { leaseMs: 600 } }),
    ];
    let url = going.url;
    const come = async (kind: "python" | "node") => {
      const worker = await startWorker({
        url,
        dial: () => url,
        redialMs: [20],
        token: agentToken(),
        register: { agentName: kind, namespace: test.field },
        reports: kind === "python",
        reconnects: kind,
      });
      workers.push(worker);
      const { job } = await test.dispatcher.order({ agentName: kind });
      await test.dispatcher.offer(job);
      await waitUntil("it runs its job", () => worker.running.has(job));
      return { worker, job, session: worker.id };
    };
    const [python, node] = [await come("python"), await come("node")];
    await waitUntil("it reported", async () => (await test.dispatcher.job(python.job)).state === "running");

    url = staying.url;
    await going.stop();

    await waitUntil("the one is re-adopted", async () => {
      const { state, gateway } = await test.dispatcher.job(python.job);
      return state === "running" && gateway === staying.nodeId;
    });
    await waitUntil("the other is there too", async () => {
      const { gateway } = await test.dispatcher.session(node.worker.id);
      return gateway === staying.nodeId;
    });
    expect(await test.dispatcher.job(python.job)).toMatchObject({ session: python.worker.id, epoch: "2" });
    expect(python.worker.id).not.toBe(python.session);
    expect(await test.dispatcher.job(node.job)).toMatchObject({ state: "orphaned", epoch: "1" });
    expect(test.dispatcher.told).toContainEqual({ kind: "orphan", job: node.job });
    for (const { worker, job } of [python, node]) {
      expect([...worker.running.keys()]).toEqual([job]);
      expect(worker.stopped).toEqual([]);
    }
    python.worker.finish(python.job);
    await waitUntil("its end counts", async () => (await test.dispatcher.job(python.job)).state === "ended");
  });
});
