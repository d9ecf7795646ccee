/** Two workers of one agent: what one says of a job that the other holds, by an address that tells them apart. */
import { waitUntil } from "@muster/test/kit/wait-until";
import { expect, it } from "vitest";
import { proxiesFrom } from "../src/client-address.js";
import { type Bench, bench, type RunningGateway } from "./gateway-kit.js";

const trustedProxies = proxiesFrom("127.0.0.0/8");
const start = (test: Bench) => test.start({ policy: { ...(trustedProxies && { trustedProxies }) } });

async function from(test: Bench, gateway: RunningGateway, forwardedFor: string) {
  const worker = await test.worker(gateway, { forwardedFor });
  await worker.register({ agentName: "agent", namespace: test.field });
  return worker;
}

async function given(test: Bench, worker: Awaited<ReturnType<typeof from>>): Promise<string> {
  const { job } = await test.dispatcher.order();
  await test.dispatcher.offer(job);
  await worker.next("availability");
  worker.accept(job);
  await worker.next("assignment");
  worker.report(job, 1);
  await waitUntil("it runs", async () => (await test.dispatcher.job(job)).state === "running");
  return job;
}

it("neither ends, nor has tried again, nor takes what another holds; who holds it does", async () => {
  const test = await bench();
  const gateway = await start(test);
  const holder = await from(test, gateway, "203.0.113.1");
  const job = await given(test, holder);
  const other = await from(test, gateway, "203.0.113.2");
  other.report(job, 2);
  other.report(job, 3);
  other.migrate([job]);
  await waitUntil("all was refused", () => gateway.counts["report_refused.another_worker"] === 2);
  await waitUntil("it holds nothing", () => gateway.counts.migration_held === 1);
  expect(await test.dispatcher.job(job)).toMatchObject({ state: "running", session: holder.id, epoch: "1" });
  expect(holder.isOpen).toBe(true);
  expect(other.count("termination")).toBe(0);
  holder.report(job, 2);
  await waitUntil("it ended", async () => (await test.dispatcher.job(job)).state === "ended");
});

it("has its job, back from another address, as soon as its old socket is known to be gone", async () => {
  const test = await bench();
  const gateway = await start(test);
  const before = await from(test, gateway, "203.0.113.1");
  const job = await given(test, before);
  const again = await from(test, gateway, "203.0.113.2");
  again.migrate([job]);
  await waitUntil("it is not its yet", () => gateway.counts.migration_held === 1);
  before.cut();
  // Asked once; the gateway asks on.
  await waitUntil("it is the holder", async () => (await test.dispatcher.job(job)).session === again.id);
});

it("is heard on the end of its job, said once, from another address, when its old socket is gone", async () => {
  const test = await bench();
  const gateway = await start(test);
  const before = await from(test, gateway, "203.0.113.1");
  const job = await given(test, before);
  const again = await from(test, gateway, "203.0.113.2");
  again.report(job, 2);
  await waitUntil("it was refused", () => gateway.counts["report_refused.another_worker"] === 1);
  before.cut();
  await waitUntil("it ended", async () => (await test.dispatcher.job(job)).state === "ended");
  expect(await test.dispatcher.job(job)).toMatchObject({ outcome: "success" });
});
