/**
 * Redis is emptied: a new generation. What runs is known again, under the sessions that hold it; work that is ordered
 * from then on is served; and nothing that runs is started a second time.
 */
import { jobOfWireId } from "@muster/domain/ids";
import { afterEach, expect, it } from "vitest";
import { Cluster } from "./harness.js";
import { BOUNDS, GRACE_MS } from "./timing.js";
import { NODE, PYTHON } from "./workers.js";

let cluster: Cluster;
afterEach(() => cluster?.end());

const JOBS = 3;

it("is told again what the gateways hold, and goes on", async () => {
  cluster = await Cluster.start();
  const python = await cluster.worker({ ...PYTHON, name: "python" });
  const node = await cluster.worker({ ...NODE, name: "node" });
  for (let index = 0; index < JOBS; index++) {
    await cluster.submit({ room: `python-${index}`, agent: "agent" });
    await cluster.submit({ room: `node-${index}`, agent: "silent" });
  }
  await cluster.until("all run", () => python.running.size === JOBS && node.running.size === JOBS);
  const held = [python, node].flatMap((worker) =>
    worker.assigned.map(({ wire }) => ({ wire, job: jobOfWireId(wire), session: worker.id })),
  );
  await cluster.flush();
  const emptiedAtMs = performance.now();
  await cluster.until(
    "every job is back under its session",
    async () => {
      for (const { job, session, wire } of held) {
        expect(await cluster.job(job)).toMatchObject({ session, wire, state: "running" });
      }
      return true;
    },
    { deadlineMs: BOUNDS.flush.scaledMs },
  );
  const idle = await cluster.worker({ ...PYTHON, name: "idle" });
  await cluster.submit({ room: "new", agent: "agent" });
  await cluster.until("new work is served", () => cluster.witness.counts.starts === 2 * JOBS + 1);
  expect(performance.now() - emptiedAtMs).toBeLessThan(BOUNDS.flush.scaledMs);
  await cluster.until("graces would be over", () => performance.now() - emptiedAtMs > 2 * GRACE_MS, {
    deadlineMs: 20_000,
  });
  expect(cluster.witness.counts.starts).toBe(2 * JOBS + 1);
  for (const worker of [python, idle]) for (const wire of [...worker.running.keys()]) worker.finish(wire);
  await cluster.until("what reports ends well", async () =>
    (await Promise.all(python.assigned.map(({ wire }) => cluster.job(jobOfWireId(wire))))).every(
      ({ outcome }) => outcome === "success",
    ),
  );
}, 60_000);
