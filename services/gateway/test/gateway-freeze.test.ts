/** A gateway that is stopped in its tracks beyond its lease, and wakes up late: what others decided meanwhile stands. */
import { type ServiceProcess, startService } from "@muster/test/kit/service-process";
import { waitUntil } from "@muster/test/kit/wait-until";
import { connectWorker, type WorkerClient } from "@muster/test/kit/worker-client";
import { afterAll, afterEach, expect, it } from "vitest";
import { API_KEY, API_SECRET, agentToken, type Bench, bench, cleanUp, stopRedis } from "./gateway-kit.js";

const services: ServiceProcess[] = [];
afterEach(async () => {
  for (const service of services.splice(0)) await service.kill();
  await cleanUp();
});
afterAll(stopRedis);

const LEASE_MS = 600;

async function startGatewayProcess(test: Bench): Promise<ServiceProcess> {
  const gateway = await startService("gateway", {
    MUSTER_REDIS_URL: test.redis.url,
    MUSTER_KEYS: `${API_KEY}: ${API_SECRET}`,
    MUSTER_LEASE_MS: String(LEASE_MS),
    MUSTER_DRAIN_MS: "0",
    MUSTER_LOG_LEVEL: "debug",
  });
  services.push(gateway);
  return gateway;
}

async function registered(test: Bench, gateway: ServiceProcess, agentName: string): Promise<WorkerClient> {
  const worker = await connectWorker({ url: gateway.url, token: agentToken() });
  await worker.register({ agentName, namespace: test.field });
  return worker;
}

async function assigned(test: Bench, worker: WorkerClient, agentName: string): Promise<string> {
  const { job } = await test.dispatcher.order({ agentName });
  await test.dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  worker.report(job, 1);
  await waitUntil("it runs", async () => (await test.dispatcher.job(job)).state === "running");
  return job;
}

/** As a dispatcher does when the lease has ended. */
async function sweep(test: Bench, gateway: string): Promise<void> {
  await waitUntil("the lease has ended, and its sessions are swept", async () => {
    const { namespace } = test;
    const args = {
      namespace,
      gateway,
      graceMs: 35_000,
      guardMs: 5_000,
      awakeSinceMs: 0,
      holdMs: 0,
      limit: 100,
    };
    return (await test.ledger.expireGateway(args)).status === "lost";
  });
}

it("sends no assignment for a stale yes, obeys stops, and has what is still its own again", async () => {
  const test = await bench();
  const frozen = await startGatewayProcess(test);
  const kept = await registered(test, frozen, "kept");
  const keptJob = await assigned(test, kept, "kept");
  const ghost = await registered(test, frozen, "moved");
  const movedJob = await assigned(test, ghost, "moved");
  const asked = await registered(test, frozen, "asked");
  const { job: offered } = await test.dispatcher.order({ agentName: "asked" });
  await test.dispatcher.offer(offered);
  await asked.next("availability");
  const { gateway = "" } = await test.dispatcher.job(keptJob);

  frozen.freeze();
  asked.accept(offered);
  kept.sample({ load: 0.4 });
  await sweep(test, gateway);
  expect((await test.dispatcher.job(offered)).state).toBe("queued");
  const other = await test.start();
  const taker = await test.registered(other, "moved");
  const settled = await test.ledger.settleOrphan({
    deserted: false,
    removeMs: 0,
    namespace: test.namespace,
    job: movedJob,
    epoch: 1,
    verdict: "absent",
    resumeUnproven: true,
    recheckMs: 30_000,
    startMs: 0,
    silentMs: 60_000,
  });
  expect(settled.status).toBe("resumed");
  taker.sample({ load: 0.1 });
  await waitUntil("it is offered anew", () => test.dispatcher.offer(movedJob));
  await taker.next("availability");
  taker.accept(`${movedJob}.2`);
  await taker.next("assignment");

  frozen.thaw();
  expect((await ghost.next("termination", 10_000)).jobId).toBe(movedJob);
  await waitUntil("it runs again", async () => (await test.dispatcher.job(keptJob)).state === "running");
  expect(await test.dispatcher.job(keptJob)).toMatchObject({ session: kept.id, epoch: "1" });
  for (const worker of [kept, ghost, asked])
    expect((await test.dispatcher.session(worker.id)).id).toBe(worker.id);
  await asked.ping();
  expect(asked.count("assignment")).toBe(0);
  expect(await test.dispatcher.job(offered)).toMatchObject({ state: "queued", attempts: "0" });
  expect(await test.dispatcher.job(movedJob)).toMatchObject({ session: taker.id, epoch: "2" });
  expect([kept, ghost, asked].every((worker) => worker.isOpen)).toBe(true);
  expect(taker.count("termination")).toBe(0);
});
