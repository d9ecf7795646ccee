/**
 * Redis goes on as another process: the master of a Cluster's shard gives way to its replica on command, while orders
 * come in, and a Sentinel promotes the replica of a master that died. Nothing that runs is moved or started again, and
 * every order is served once.
 */
import { jobOfWireId } from "@muster/domain/ids";
import { afterEach, expect, it } from "vitest";
import type { SimulatedWorker } from "../kit/simulated-worker.js";
import { Cluster } from "./harness.js";
import { BOUNDS, GRACE_MS } from "./timing.js";
import { NODE, PYTHON } from "./workers.js";

let cluster: Cluster;
afterEach(() => cluster?.end());

const JOBS = 3;
const BUSY_WORKERS = 4;
const ORDER_EVERY_MS = 50;
const ORDERS_BETWEEN = 5;

it("a Cluster whose masters change on command: orders are served on, once each, and what runs stays", async () => {
  cluster = await Cluster.start({ store: "cluster", hasReplicas: true });
  const { python, node, held } = await runningJobs();
  // Enough of them that nothing waits for room.
  const busy = await Promise.all(
    Array.from({ length: BUSY_WORKERS }, (_, index) =>
      cluster.worker({ ...PYTHON, name: `busy-${index}`, agent: "busy", jobMs: 20 }),
    ),
  );

  const orders: Promise<string>[] = [];
  const sender = setInterval(() => {
    orders.push(cluster.submit({ room: `room-${orders.length}`, agent: "busy" }));
  }, ORDER_EVERY_MS);
  const rooms = () => busy.flatMap(({ assigned }) => assigned.map(({ room }) => room));
  try {
    // There and back: each node is once the one that gives way.
    for (let change = 0; change < 2 * cluster.shards; change++) {
      const sinceMs = performance.now();
      await cluster.failover(change % cluster.shards);
      const first = orders.length;
      await cluster.until(
        "what is ordered behind it is assigned",
        () => orders.length >= first + ORDERS_BETWEEN && rooms().includes(`room-${first}`),
        { deadlineMs: 2 * BOUNDS.redis.scaledMs },
      );
      expect(performance.now() - sinceMs).toBeLessThan(BOUNDS.redis.scaledMs);
    }
  } finally {
    clearInterval(sender);
  }
  const accepted = new Set(await Promise.all(orders));
  expect(accepted.size).toBe(orders.length);
  await cluster.until("every order is assigned", () => new Set(rooms()).size === orders.length);
  await cluster.until("every one of their jobs ended well", () => {
    const jobs = [...cluster.invariants.fates.values()].filter(({ order }) => accepted.has(order));
    return jobs.length === accepted.size && jobs.every(({ outcome }) => outcome === "success");
  });
  expect(rooms()).toHaveLength(accepted.size);
  await nothingMoved([python, node], held);
}, 90_000);

it("a Sentinel set whose master dies: the replica is found, and what runs stays", async () => {
  cluster = await Cluster.start({ store: "sentinel" });
  const { python, node, held } = await runningJobs();
  await cluster.failover();
  const sinceMs = performance.now();
  const idle = await cluster.worker({ ...PYTHON, name: "idle-busy", agent: "busy", jobMs: 20 });
  const accepted = await Promise.all(
    Array.from({ length: ORDERS_BETWEEN }, (_, index) =>
      cluster.submit({ room: `room-${index}`, agent: "busy" }),
    ),
  );
  await cluster.until("what is ordered then is assigned", () => idle.assigned.length === accepted.length, {
    deadlineMs: 2 * BOUNDS.redis.scaledMs,
  });
  expect(performance.now() - sinceMs).toBeLessThan(BOUNDS.redis.scaledMs);
  await nothingMoved([python, node], held);
}, 60_000);

/** One worker of each kind with its jobs, and beside it one that would be given what is resumed. */
async function runningJobs() {
  const python = await cluster.worker({ ...PYTHON, name: "python" });
  const node = await cluster.worker({ ...NODE, name: "node" });
  for (let index = 0; index < JOBS; index++) {
    await cluster.submit({ room: `python-${index}`, agent: "agent" });
    await cluster.submit({ room: `node-${index}`, agent: "silent" });
  }
  await cluster.until("all run", () => python.running.size === JOBS && node.running.size === JOBS);
  const held = [python, node].flatMap((worker) =>
    worker.assigned.map(({ wire }) => ({ wire, session: worker.id })),
  );
  await cluster.worker({ ...PYTHON, name: "idle-python" });
  await cluster.worker({ ...NODE, name: "idle-node" });
  return { python, node, held };
}

/** Also not when every grace that could have begun is over. */
async function nothingMoved(
  workers: readonly SimulatedWorker[],
  held: readonly { wire: string; session: string }[],
): Promise<void> {
  const overAtMs = performance.now() + BOUNDS.redis.scaledMs + GRACE_MS;
  await cluster.until("graces are over", () => performance.now() > overAtMs, { deadlineMs: 20_000 });
  for (const { wire, session } of held) {
    const job = await cluster.job(jobOfWireId(wire));
    // Of a worker that never reports a start is only supposed.
    expect(["starting", "running"], wire).toContain(job.state);
    expect(job, wire).toMatchObject({ wire, session, attempts: "1" });
  }
  expect(workers.flatMap(({ running }) => [...running.keys()]).sort()).toEqual(
    held.map(({ wire }) => wire).sort(),
  );
  expect(cluster.witness.overlaps).toEqual([]);
}
