/**
 * The api's operations, broken off behind each of their commands to Redis. Its caller repeats the call elsewhere under the
 * same request id, as the SDKs do, or never does: then it happened or it did not, and nothing in between.
 */
import { expect } from "vitest";
import type { Fate, Operation, Situation } from "./operation.js";
import type { Point } from "./point.js";
import { expectRoom } from "./verdict.js";

const FATES: readonly Fate[] = ["reply lost", "killed, repeated", "killed, not repeated"];
const JOB_MS = 30;
const MEMORY = { keepMs: 3_600_000, liveMs: 60_000, most: 0, must: true };

/** Makes the namespace known for the agent though nobody of it was ever there: it rests. */
async function know(point: Point): Promise<void> {
  const { ledger } = point.house;
  const { agent, namespaces } = point;
  for (const namespaceName of namespaces)
    await ledger.rememberAgent({ project: "default", agent, namespaceName, ...MEMORY });
}

async function isCreated(point: Point, room: string, situation: Situation): Promise<void> {
  if (situation === "killed, repeated") await point.create(point.house.twin("api").url, room);
  const { length: written } = (await point.ledgerOf(room)).jobs;
  // Without an answer and without a repeat: what was written is dispatched, and no more than that.
  const jobs = situation === "killed, not repeated" ? written : point.zones.length;
  for (const zone of point.zones.slice(point.workers.length)) await point.worker({ zone, jobMs: JOB_MS });
  await point.until(`all of ${room} is dispatched and done`, async () => {
    await expectRoom(point, room, { jobs, assigned: jobs, outcome: "success" });
    return true;
  });
}

function createDispatch(name: string, prepare: (point: Point) => Promise<unknown>): Operation<string> {
  return {
    name,
    fates: FATES,
    async prepare(point) {
      await prepare(point);
      return point.room("room");
    },
    act: async (point, room) => void (await point.create(point.victim.url, room)),
    outcome: isCreated,
  };
}

interface Running {
  room: string;
  wire: string;
  dispatchId: string;
  job: string;
}

async function run(point: Point): Promise<Running> {
  const zone = point.addZone();
  await point.worker({ zone });
  const room = point.room("room");
  const { wire } = await point.runs(room);
  const [job] = (await point.ledgerOf(room)).jobs;
  if (job === undefined) throw new Error(`the ledger has no job for ${room}`);
  return { room, wire, dispatchId: job.order, job: job.id };
}

/** Stopped, or, when nobody asked again and nothing had been written, as it was. */
async function isStopped(point: Point, { room, wire }: Running, situation: Situation): Promise<void> {
  const [job] = (await point.ledgerOf(room)).jobs;
  if (situation === "killed, not repeated" && job?.state !== "ended") {
    await point.until("it runs on", () => point.running(room).length === 1 && job?.state === "running");
    return;
  }
  await point.until(`${room} is stopped`, async () => {
    await expectRoom(point, room, { jobs: 1, assigned: 1, outcome: "canceled" });
    expect(point.running(room)).toEqual([]);
    expect(point.workers[0]?.stopped).toContain(wire);
    return true;
  });
}

const deleteDispatch: Operation<Running> = {
  name: "DeleteDispatch of a running job",
  fates: FATES,
  prepare: run,
  act: (point, { room, dispatchId }) => point.remove(point.victim.url, room, dispatchId),
  async outcome(point, running, situation) {
    const { room, dispatchId } = running;
    if (situation === "killed, repeated") await point.remove(point.house.twin("api").url, room, dispatchId);
    await isStopped(point, running, situation);
  },
};

const terminate: Operation<Running> = {
  name: "terminate a running job",
  fates: FATES,
  prepare: run,
  act: (point, { room, job }) => point.terminate(point.victim.url, room, job),
  async outcome(point, running, situation) {
    const { room, job } = running;
    if (situation === "killed, repeated") await point.terminate(point.house.twin("api").url, room, job);
    await isStopped(point, running, situation);
  },
};

export const apiOperations: readonly Operation<unknown>[] = [
  createDispatch("CreateDispatch, default namespace", async (point) => {
    point.zones.push("");
    await point.worker({ jobMs: JOB_MS });
  }),
  createDispatch("CreateDispatch, namespace at rest", async (point) => {
    point.addZone();
    await know(point);
  }),
  createDispatch("CreateDispatch, agent in two namespaces", async (point) => {
    // One with a worker, one at rest.
    await point.worker({ zone: point.addZone(), jobMs: JOB_MS });
    point.addZone();
    await know(point);
  }),
  deleteDispatch,
  terminate,
];
