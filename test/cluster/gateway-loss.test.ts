/**
 * kill -9 of a gateway: out of every claim when its lease ends, its open offers given back without blame, its workers
 * elsewhere with the jobs that they run.
 */
import { jobOfWireId } from "@muster/domain/ids";
import { afterEach, expect, it } from "vitest";
import { namespaceTag } from "../../shared/ledger/src/keys.js";
import { Cluster } from "./harness.js";
import { BOUNDS } from "./timing.js";
import { PYTHON } from "./workers.js";

const JOBS = 4;

let cluster: Cluster;
afterEach(() => cluster?.end());

it("gives its open offers back, soon and without blame", async () => {
  cluster = await Cluster.start({ dispatchers: 1 });
  // It never answers on the gateway that dies; once it is elsewhere, being asked at all shows that nobody blamed it.
  const worker = await cluster.worker({
    ...PYTHON,
    name: "worker",
    gateway: "gateway-0",
    onOffer: () => (worker.offered.length === 1 ? "silent" : "accept"),
  });
  const order = await cluster.submit({ room: "room", agent: "agent" });
  await cluster.until("the worker is asked", () => worker.offered.length === 1, { everyMs: 2 });
  const lostAtMs = performance.now();
  await cluster.kill("gateway-0");
  await cluster.until("it has the job", () => worker.running.size === 1);
  expect((worker.assigned[0]?.assignedAtMs ?? 0) - lostAtMs).toBeLessThan(BOUNDS.loss.scaledMs);
  expect(worker.offered).toHaveLength(2);
  const { attempts, excluded = "" } = await cluster.job(await cluster.jobOf(order));
  expect({ attempts, excluded }).toEqual({ attempts: "1", excluded: "" });
});

it("loses no job of its workers: they come back with them, and nobody else gets one", async () => {
  cluster = await Cluster.start({ dispatchers: 1 });
  const worker = await cluster.worker({ ...PYTHON, name: "worker", gateway: "gateway-0" });
  for (let index = 0; index < JOBS; index++) await cluster.submit({ room: `room-${index}`, agent: "agent" });
  await cluster.until("it runs every job", () => worker.running.size === JOBS);
  const other = await cluster.worker({ ...PYTHON, name: "other", gateway: "gateway-1" });
  const jobs = worker.assigned.map(({ wire }) => jobOfWireId(wire));
  await cluster.until("all are seen", async () =>
    (await states(jobs)).every(({ state }) => state === "running"),
  );
  const session = worker.id;
  await cluster.kill("gateway-0");
  await cluster.until("it is back", () => worker.id !== session && worker.client.isOpen, { everyMs: 5 });
  const backAtMs = performance.now();
  const isHeld = async () =>
    (await states(jobs)).every((job) => job.state === "running" && job.session === worker.id);
  await cluster.until("its new session holds every job", isHeld, { everyMs: 10 });
  expect(performance.now() - backAtMs).toBeLessThan(BOUNDS.adoption.scaledMs * 5);
  // Beyond the lease of the dead gateway and the grace: nothing of it is still on its way.
  await cluster.until("the old session is forgotten", async () => !(await sessions()).includes(session));
  for (const wire of [...worker.running.keys()]) worker.finish(wire);
  await cluster.until("every job ended well", async () =>
    (await states(jobs)).every(({ outcome }) => outcome === "success"),
  );
  expect(other.assigned).toEqual([]);
  expect(cluster.witness.counts.starts).toBe(JOBS);
  expect(cluster.witness.overlaps).toEqual([]);
});

const states = (jobs: readonly string[]) => Promise.all(jobs.map((job) => cluster.job(job)));
const sessions = () =>
  cluster.redis.zrange(`${namespaceTag(cluster.namespaces[0] ?? "")}sessions`, "0", "-1");
