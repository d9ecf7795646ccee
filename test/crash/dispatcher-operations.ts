/**
 * What a dispatcher does for a namespace, broken off behind each of its commands to Redis. Another one finds the namespace
 * when the lease has ended, and goes on from what the ledger says.
 */
import { expect } from "vitest";
import type { SimulatedWorker } from "../kit/simulated-worker.js";
import type { Fate, Operation } from "./operation.js";
import type { Point } from "./point.js";
import { expectRoom } from "./verdict.js";

const FATES: readonly Fate[] = ["reply lost", "killed"];
const JOB_MS = 30;
const MEMORY = { keepMs: 3_600_000, liveMs: 60_000, most: 0, must: true };

const order = async (point: Point, room: string) =>
  void (await point.create(point.house.twin("api").url, room));

async function isDone(point: Point, room: string): Promise<void> {
  await point.until(`${room} is done`, async () => {
    await expectRoom(point, room, { jobs: 1, assigned: 1, outcome: "success" });
    return true;
  });
}

const place: Operation<string> = {
  name: "fetch, admit, offer, finish",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    // Its job runs on: what is done twice finds it there.
    await point.worker();
    return point.room("room");
  },
  act: order,
  async outcome(point, room) {
    await point.until(`${room} runs`, async () => {
      await expectRoom(point, room, { jobs: 1, assigned: 1 });
      return true;
    });
  },
};

const reject: Operation<string> = {
  name: "rejected, to the next worker",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    const first = await point.worker({ onOffer: "reject" });
    const second = await point.worker({ jobMs: JOB_MS, loadPerJob: 0 });
    // So that the other one is asked first.
    second.client.sample({ load: 0.5 });
    await point.until("its load is known", async () => {
      const [look] = await point.look();
      return Number(look?.moment.hashes.get(`session:${second.id}`)?.load) === 0.5;
    });
    expect(first.offered).toEqual([]);
    return point.room("room");
  },
  act: order,
  outcome: isDone,
};

const expiry: Operation<string> = {
  name: "an offer runs out, and is made again",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    let offers = 0;
    await point.worker({ jobMs: JOB_MS, onOffer: () => (++offers === 1 ? "silent" : "accept") });
    return point.room("room");
  },
  act: order,
  outcome: isDone,
};

const serve: Operation<string> = {
  name: "room for a job that waits",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    const { house, agent, namespaces } = point;
    for (const namespaceName of namespaces)
      await house.ledger.rememberAgent({ project: "default", agent, namespaceName, ...MEMORY });
    const room = point.room("room");
    await order(point, room);
    await point.until("it is parked and out of the queue", async () => {
      const [look] = await point.look();
      return look?.jobs[0]?.state === "parked" && look.moment.queued === 0;
    });
    return room;
  },
  act: async (point) => void (await point.worker({ jobMs: JOB_MS })),
  outcome: isDone,
};

interface Held {
  worker: SimulatedWorker;
  room: string;
}

const orphan: Operation<Held> = {
  name: "a worker is lost with its job",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    const worker = await point.worker();
    const room = point.room("room");
    await point.runs(room);
    await point.until("it is seen to run", async () => {
      const [look] = await point.look();
      return look?.jobs[0]?.state === "running" && look.moment.queued === 0;
    });
    await point.worker();
    return { worker, room };
  },
  act: (_point, { worker }) => worker.close(),
  async outcome(point, { room }) {
    await point.until("the other worker runs it", async () => {
      await expectRoom(point, room, { jobs: 1, assigned: 2 });
      expect(point.workers[1]?.running.size).toBe(1);
      return true;
    });
  },
};

export const dispatcherOperations: readonly Operation<unknown>[] = [place, reject, expiry, serve, orphan];
