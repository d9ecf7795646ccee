/**
 * kill -9 of the dispatcher that hosts a namespace: the other one takes it when the lease ends; what came in meanwhile,
 * and the timers that the first one set, go on there.
 */
import { afterEach, expect, it } from "vitest";
import { Cluster } from "./harness.js";
import { hostOf } from "./host-of.js";
import { BOUNDS } from "./timing.js";
import { PYTHON } from "./workers.js";

let cluster: Cluster;
afterEach(() => cluster?.end());

const ORDERS = 20;

it("costs no order that comes in at that moment, and each is assigned once", async () => {
  cluster = await Cluster.start();
  const workers = await Promise.all(
    ["first", "second"].map((name) => cluster.worker({ ...PYTHON, name, jobMs: 20 })),
  );
  const host = await hostOf(cluster, "agent");
  const sending = Array.from({ length: ORDERS }, (_, index) => order(`room-${index}`));
  const lostAtMs = performance.now();
  await cluster.kill(host);
  sending.push(...Array.from({ length: ORDERS }, (_, index) => order(`later-${index}`)));
  await Promise.all(sending);
  const assigned = () => workers.flatMap((worker) => worker.assigned).filter(({ room }) => room !== "host");
  await cluster.until("all are assigned", () => assigned().length >= 2 * ORDERS);
  const lastMs = Math.max(...assigned().map(({ assignedAtMs }) => assignedAtMs));
  expect(lastMs - lostAtMs).toBeLessThan(BOUNDS.loss.scaledMs);
  await cluster.until("all are over", () => cluster.witness.running === 0);
  expect(new Set(assigned().map(({ room }) => room)).size).toBe(2 * ORDERS);
  expect(cluster.witness.counts.starts).toBe(2 * ORDERS + 1);
});

it("fires the timers that it set: a back-off ends elsewhere", async () => {
  cluster = await Cluster.start();
  let isWilling = true;
  const worker = await cluster.worker({
    ...PYTHON,
    name: "picky",
    jobMs: 20,
    onOffer: () => (isWilling ? "accept" : "reject"),
  });
  const host = await hostOf(cluster, "agent");
  isWilling = false;
  const id = await cluster.jobOf(await order("refused"));
  await cluster.until("it waits", async () => (await cluster.job(id)).state === "parked");
  await cluster.kill(host);
  const lostAtMs = performance.now();
  isWilling = true;
  await cluster.until("it is assigned", () => worker.assigned.length === 2);
  expect((worker.assigned[1]?.assignedAtMs ?? 0) - lostAtMs).toBeLessThan(BOUNDS.loss.scaledMs);
});

const order = (room: string) => cluster.submit({ room, agent: "agent" });
