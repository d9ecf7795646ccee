/**
 * A process that stands still beyond its lease and wakes up late (SIGSTOP, SIGCONT) changes nothing: what was done
 * without it stands, what it still believes is refused, and what it still holds is either its own or told to stop.
 */
import { jobOfWireId } from "@muster/domain/ids";
import { afterEach, expect, it } from "vitest";
import { Cluster } from "./harness.js";
import { hostOf } from "./host-of.js";
import { BOUNDS, GRACE_MS, LEASE_MS } from "./timing.js";
import { NODE, PYTHON } from "./workers.js";

let cluster: Cluster;
afterEach(() => cluster?.end());

const ORDERS = 20;

it("a dispatcher: what it had begun goes on elsewhere, once, and its return changes nothing", async () => {
  cluster = await Cluster.start();
  const worker = await cluster.worker({ ...PYTHON, name: "worker", jobMs: 20 });
  const host = await hostOf(cluster, "agent");
  // What the machine needs for as many while nothing is wrong: on a busy one more than the take-over does.
  const calmAtMs = performance.now();
  await Promise.all(Array.from({ length: ORDERS }, (_, index) => order(`calm-${index}`)));
  await cluster.until("all are assigned by it", () => worker.assigned.length >= ORDERS + 1);
  const calmMs = performance.now() - calmAtMs;
  const sending = Array.from({ length: ORDERS }, (_, index) => order(`room-${index}`));
  cluster.freeze(host);
  const frozenAtMs = performance.now();
  await Promise.all(sending);
  await cluster.until("all are assigned without it", () => worker.assigned.length >= 2 * ORDERS + 1);
  expect(performance.now() - frozenAtMs - calmMs).toBeLessThan(BOUNDS.loss.scaledMs);
  await cluster.until("its lease is long over", () => performance.now() - frozenAtMs > 2 * LEASE_MS);
  const before = fates();
  cluster.thaw(host);
  // Its own metrics say when it noticed; by then it has read what was sent to it, and done what it was about to do.
  await cluster.until("it knows that it was away", () => cluster.isReady(host), { deadlineMs: 10_000 });
  // A room each: on a busy machine several are ordered before the next is assigned, and two orders for a room are two jobs.
  let ordered = 0;
  await cluster.until("work goes on", async () => {
    await order(`after-${ordered++}`);
    return worker.assigned.length > 2 * ORDERS + 5;
  });
  expect([...before].every(([id, fate]) => fates().get(id) === fate)).toBe(true);
  expect(new Set(worker.assigned.map(({ room }) => room)).size).toBe(worker.assigned.length);
});

it("a gateway, for less than the grace: its workers keep their jobs", async () => {
  cluster = await Cluster.start({ dispatchers: 1 });
  const python = await cluster.worker({ ...PYTHON, name: "python", gateway: "gateway-0" });
  const node = await cluster.worker({ ...NODE, name: "node", gateway: "gateway-0" });
  await order("python");
  await cluster.submit({ room: "node", agent: "silent" });
  await cluster.until("both run", () => python.running.size === 1 && node.running.size === 1);
  await cluster.worker({ ...PYTHON, name: "idle-python", gateway: "gateway-1" });
  await cluster.worker({ ...NODE, name: "idle-node", gateway: "gateway-1" });
  cluster.freeze("gateway-0");
  await cluster.until("the jobs are orphans", async () =>
    (await Promise.all([jobOf(python), jobOf(node)])).every(({ state }) => state === "orphaned"),
  );
  cluster.thaw("gateway-0");
  await cluster.until("their sessions hold them again", async () => {
    const jobs = await Promise.all([jobOf(python), jobOf(node)]);
    return jobs[0]?.state === "running" && jobs[1]?.state !== "orphaned";
  });
  expect(await jobOf(python)).toMatchObject({ session: python.id, attempts: "1" });
  expect(await jobOf(node)).toMatchObject({ session: node.id, attempts: "1" });
  expect(cluster.witness.counts).toMatchObject({ starts: 2, lost: 0 });
});

it("a gateway, for longer than the grace: what was resumed stays where it is, and the ghost stops", async () => {
  cluster = await Cluster.start({ dispatchers: 1 });
  const first = await cluster.worker({ ...PYTHON, name: "first", gateway: "gateway-0" });
  await order("room");
  await cluster.until("it runs", async () => (await jobOf(first)).state === "running");
  const second = await cluster.worker({ ...PYTHON, name: "second", gateway: "gateway-1" });
  cluster.freeze("gateway-0");
  await cluster.until("it is resumed elsewhere", () => second.running.size === 1, {
    deadlineMs: LEASE_MS + GRACE_MS + 5_000,
  });
  cluster.thaw("gateway-0");
  await cluster.until("the ghost stops", () => first.running.size === 0);
  expect(second.running.size).toBe(1);
  expect(await jobOf(second)).toMatchObject({ state: "running", session: second.id });
  expect(cluster.witness.overlaps).toMatchObject([
    { cause: "gateway-0 frozen", endedAtMs: expect.any(Number) },
  ]);
  cluster.invariants.assert();
});

const order = (room: string) => cluster.submit({ room, agent: "agent" });
const jobOf = (worker: { assigned: readonly { wire: string }[] }) =>
  cluster.job(jobOfWireId(worker.assigned[0]?.wire ?? ""));
const fates = () =>
  new Map(
    [...cluster.invariants.fates]
      .filter(([, { state }]) => state === "ended")
      .map(([id, fate]) => [id, JSON.stringify(fate)]),
  );
