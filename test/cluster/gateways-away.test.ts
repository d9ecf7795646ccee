/**
 * Twenty seconds without any gateway, with the times that Muster ships with: the agents run on while their workers dial,
 * so nothing is begun a second time, and those who say what they run have it again.
 */
import { GRACE_MS, LEASE_MS } from "@muster/domain/timing";
import { afterEach, expect, it } from "vitest";
import type { SimulatedWorker } from "../kit/simulated-worker.js";
import { KEY } from "./harness.js";
import { LongOutage, OUTAGE_MS } from "./long-outage.js";

/** So few that each is waited for by its grace alone; and so many that the guard against mass loss goes up. */
const PAIRS = { few: 1, many: 2 };
const JOBS = 3;
/** Whoever was there no longer is no evidence of an outage (includes/guarding). */
const SETTLED_MS = 10_000;
type Zone = keyof typeof PAIRS;
const zones = Object.keys(PAIRS) as Zone[];

interface Held {
  zone: Zone;
  worker: SimulatedWorker;
  wire: string;
}

let outage: LongOutage;
afterEach(() => outage?.cluster.end());

it("gives no job to anybody else, and workers that report have theirs again", async () => {
  outage = await LongOutage.prepare(zones);
  const { cluster } = outage;
  const reporting = await workers("python");
  const silent = await workers("node");
  const thereSinceMs = performance.now();
  for (const zone of zones) {
    for (let index = 0; index < JOBS; index++) await outage.order("python", zone, `${index}`);
    await outage.order("node", zone, "0");
  }
  const before = zones.length * (JOBS + 1);
  await outage.until("all run", () => cluster.witness.counts.starts === before);
  const [first, ...held] = jobsOf(reporting) as [Held, ...Held[]];
  const epochs = await Promise.all(held.map(epochOf));

  await outage.pass("nobody is a newcomer when the leases end", thereSinceMs, SETTLED_MS);
  const awayAtMs = performance.now();
  await Promise.all(cluster.names("gateway").map(cluster.kill));
  for (const zone of zones) await outage.order("python", zone, "late");
  await outage.pass("the outage is over", awayAtMs, OUTAGE_MS);
  first.worker.finish(first.wire); // can be said on the next socket only
  await Promise.all(cluster.names("gateway").map(cluster.start));
  // Whoever would be given what is resumed: there before the others dial again, 30 s after the loss.
  for (const zone of zones) for (const kind of ["python", "node"] as const) await outage.worker(kind, zone);
  await outage.until("what was ordered meanwhile runs", () => outage.rooms("late").length === zones.length);
  expect(cluster.witness.counts.returns).toBeLessThan(reporting.length);

  await outage.pass("every grace is over", awayAtMs, LEASE_MS + GRACE_MS + 2_000);
  for (const [index, { zone, worker, wire }] of held.entries()) {
    const job = await outage.job(zone, wire);
    expect(job).toMatchObject({ state: "running", session: worker.id, wire, offers: "1" });
    expect(Number(job.epoch)).toBe((epochs[index] ?? 0) + 1);
  }
  // That their workers are back says nothing of these: they are not resumed without evidence.
  for (const { zone, wire } of jobsOf(silent))
    expect(await outage.job(zone, wire)).toMatchObject({ state: "orphaned", offers: "1" });
  expect(await outage.job(first.zone, first.wire)).toMatchObject({ outcome: "success", offers: "1" });
  for (const zone of zones) {
    for (const kind of ["python", "node"]) {
      const guard = `${outage.tag(zone)}guard:room/${kind}-${zone}/|${KEY}`;
      expect(await cluster.redis.exists(guard)).toBe(zone === "many" ? 1 : 0);
    }
  }
  expect(cluster.witness.counts).toMatchObject({
    returns: reporting.length + silent.length,
    starts: before + zones.length,
  });

  for (const { worker, wire } of held) worker.finish(wire);
  await outage.until("what ran ends well", async () => {
    const jobs = await Promise.all(held.map(({ zone, wire }) => outage.job(zone, wire)));
    return jobs.every(({ outcome }) => outcome === "success");
  });
  for (const zone of zones)
    for (const kind of ["python", "node"] as const) await outage.order(kind, zone, "new");
  await outage.until("new work is served", () => outage.rooms("new").length === 2 * zones.length);
}, 120_000);

async function workers(kind: "python" | "node"): Promise<{ zone: Zone; worker: SimulatedWorker }[]> {
  const places = zones.flatMap((zone) => Array.from({ length: PAIRS[zone] }, () => zone));
  return Promise.all(places.map(async (zone) => ({ zone, worker: await outage.worker(kind, zone) })));
}

function jobsOf(some: readonly { zone: Zone; worker: SimulatedWorker }[]): Held[] {
  return some.flatMap(({ zone, worker }) =>
    [...worker.running.keys()].map((wire) => ({ zone, worker, wire })),
  );
}

async function epochOf({ zone, wire }: Held): Promise<number> {
  return Number((await outage.job(zone, wire)).epoch);
}
