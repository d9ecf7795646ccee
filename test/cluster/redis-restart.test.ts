/**
 * Redis is killed and comes back with its append-only file, after longer than leases and grace together: everybody waits,
 * says what it holds, and goes on. Nothing that lives is resumed elsewhere, and nothing that was accepted is lost.
 */
import { jobOfWireId } from "@muster/domain/ids";
import { afterEach, expect, it } from "vitest";
import { Cluster } from "./harness.js";
import { BOUNDS, GRACE_MS, LEASE_MS } from "./timing.js";
import { NODE, PYTHON } from "./workers.js";

let cluster: Cluster;
afterEach(() => cluster?.end());

const OUTAGE_MS = LEASE_MS + GRACE_MS + 1_000;
const JOBS = 3;

it("holds, re-asserts and goes on: nothing that runs is given to another", async () => {
  cluster = await Cluster.start();
  const python = await cluster.worker({ ...PYTHON, name: "python" });
  const node = await cluster.worker({ ...NODE, name: "node" });
  for (let index = 0; index < JOBS; index++) {
    await cluster.submit({ room: `python-${index}`, agent: "agent" });
    await cluster.submit({ room: `node-${index}`, agent: "silent" });
  }
  await cluster.until("all run", () => python.running.size === JOBS && node.running.size === JOBS);
  // Idle ones, who would be given what is resumed.
  await cluster.worker({ ...PYTHON, name: "idle-python" });
  await cluster.worker({ ...NODE, name: "idle-node" });
  const sessions = [python.id, node.id];

  await cluster.killRedis();
  const downAtMs = performance.now();
  const late = cluster.submit({ room: "late", agent: "agent" });
  await cluster.until("the outage is over", () => performance.now() - downAtMs > OUTAGE_MS, {
    deadlineMs: 2 * OUTAGE_MS,
  });
  await cluster.restartRedis();
  const upAtMs = performance.now();
  const id = await late;
  await cluster.until(
    "what was ordered meanwhile is assigned",
    () => cluster.witness.counts.starts === 2 * JOBS + 1,
    {
      deadlineMs: 2 * BOUNDS.redis.scaledMs,
    },
  );
  expect(performance.now() - upAtMs).toBeLessThan(BOUNDS.redis.scaledMs);
  expect(await cluster.jobOf(id)).toMatch(/^AJ_/);

  // Every grace that could have begun would now be over.
  await cluster.until(
    "graces are over",
    () => performance.now() - upAtMs > BOUNDS.redis.scaledMs + GRACE_MS,
    {
      deadlineMs: 20_000,
    },
  );
  expect([python.id, node.id]).toEqual(sessions);
  expect(python.running.size).toBeGreaterThanOrEqual(JOBS);
  expect(node.running.size).toBe(JOBS);
  for (const worker of [python, node]) {
    for (const wire of worker.running.keys()) {
      const job = await cluster.job(jobOfWireId(wire));
      expect(["starting", "running"], wire).toContain(job.state);
      expect(job, wire).toMatchObject({ session: worker.id, wire, attempts: "1" });
    }
  }
  expect(cluster.witness.counts.starts).toBe(2 * JOBS + 1);
  for (const wire of [...python.running.keys()]) python.finish(wire);
  await cluster.until("what ran ends well", () =>
    python.assigned.every(
      ({ wire }) => cluster.invariants.fates.get(jobOfWireId(wire))?.outcome === "success",
    ),
  );
}, 60_000);
