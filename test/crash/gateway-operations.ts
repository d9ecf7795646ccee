/**
 * What a gateway does for its workers, broken off behind each of its commands to Redis. Its workers dial again and land
 * on the gateway that is left, with what they still run.
 */
import { expect } from "vitest";
import type { SimulatedWorker } from "../kit/simulated-worker.js";
import type { Fate, Operation } from "./operation.js";
import type { Point } from "./point.js";
import { expectRoom } from "./verdict.js";

const FATES: readonly Fate[] = ["reply lost", "killed"];
const JOB_MS = 30;
const ENDLESS_MS = 2 ** 31 - 1;

/** Where its workers go: to the process that is to be struck while that one lives, then to the one that is left. */
function victimElseTwin(point: Point): () => string {
  const { victim, house } = point;
  const { url } = victim;
  return () => (victim.isAlive && victim.url === url ? url : house.twin("gateway").url);
}
const twinApi = (point: Point): string => point.house.twin("api").url;

/** Its first job was seen to run: from then on it is known as one that reports, and its silence means something. */
async function knownWorker(point: Point, { jobMs, awayMs }: { jobMs: number; awayMs: number }) {
  const first = point.room("first");
  const worker = await point.worker({
    dial: victimElseTwin(point),
    redialMs: [awayMs],
    jobMs: ({ room }) => (room === first ? JOB_MS : jobMs),
  });
  await point.create(twinApi(point), first);
  await point.until("its first job is done", async () => {
    await expectRoom(point, first, { jobs: 1, assigned: 1, outcome: "success" });
    return true;
  });
  return worker;
}

const register: Operation<string> = {
  name: "register",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    return point.room("room");
  },
  act: async (point) => void (await point.worker({ dial: victimElseTwin(point) })),
  async outcome(point) {
    await point.until("the worker has one session", async () => {
      const [look] = await point.look();
      expect([...(look?.moment.zsets.get("sessions")?.keys() ?? [])]).toEqual([point.workers[0]?.id]);
      return true;
    });
  },
  async afterwards(point, room) {
    await point.create(twinApi(point), room);
    await point.until(`${room} runs`, async () => {
      await expectRoom(point, room, { jobs: 1, assigned: 1 });
      return true;
    });
  },
};

const accept: Operation<string> = {
  name: "accept, assignment, reports",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    // It ends when its worker knows that the gateway is gone, and has not found the other one yet: what it has to report
    // it says there, before anything else and before the lease of the dead one has ended.
    await knownWorker(point, { jobMs: 150, awayMs: 300 });
    return point.room("room");
  },
  act: async (point, room) => void (await point.create(twinApi(point), room)),
  async outcome(point, room) {
    await point.until(`${room} is done`, async () => {
      await expectRoom(point, room, { jobs: 1, assigned: 1, outcome: "success" });
      return true;
    });
  },
};

interface Rooms {
  worker: SimulatedWorker;
  ending: string;
  waiting: string;
}

const success: Operation<Rooms> = {
  name: "report of success, a job waits for the place",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    const worker = await knownWorker(point, { jobMs: ENDLESS_MS, awayMs: 100 });
    const [ending, waiting] = [point.room("ending"), point.room("waiting")];
    await point.runs(ending);
    await point.create(twinApi(point), waiting);
    await point.until("the other job is parked", async () => {
      const { jobs } = await point.ledgerOf(waiting);
      return jobs[0]?.state === "parked";
    });
    return { worker, ending, waiting };
  },
  async act(_point, { worker }) {
    for (const wire of [...worker.running.keys()]) worker.finish(wire);
  },
  async outcome(point, { ending, waiting }) {
    await point.until("one is done and the other runs", async () => {
      await expectRoom(point, ending, { jobs: 1, assigned: 1, outcome: "success" });
      await expectRoom(point, waiting, { jobs: 1, assigned: 1 });
      expect((await point.ledgerOf(waiting)).jobs[0]?.state).toBe("running");
      return true;
    });
  },
};

interface Held {
  worker: SimulatedWorker;
  room: string;
}

const socketGone: Operation<Held> = {
  name: "socket of a worker with a job closes for good",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    const worker = await point.worker({ dial: victimElseTwin(point) });
    const room = point.room("room");
    await point.runs(room);
    await isSeenToRun(point, room);
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
    await isSeenToRun(point, room);
  },
};

interface Moving extends Held {
  oldSession: string;
  move(): void;
  /** It is where it dials to. */
  hasArrived(): boolean;
}

const migrate: Operation<Moving> = {
  name: "a worker comes from elsewhere with its job",
  fates: FATES,
  async prepare(point) {
    point.addZone();
    let [isMoving, dialled] = [false, ""];
    const toVictim = victimElseTwin(point);
    const goal = () => (isMoving ? toVictim() : point.house.twin("gateway").url);
    const dial = () => {
      dialled = goal();
      return dialled;
    };
    const worker = await point.worker({ dial });
    const room = point.room("room");
    await point.runs(room);
    await isSeenToRun(point, room);
    const move = () => {
      isMoving = true;
      worker.client.cut();
    };
    const hasArrived = () => worker.client.isOpen && dialled === goal();
    return { worker, room, oldSession: worker.id, move, hasArrived };
  },
  act: async (_point, { move }) => move(),
  async outcome(point, { worker, room, oldSession, hasArrived }) {
    await point.until("its newest session holds the job", async () => {
      await expectRoom(point, room, { jobs: 1, assigned: 1 });
      expect(hasArrived()).toBe(true);
      expect(worker.id).not.toBe(oldSession);
      const [job] = (await point.ledgerOf(room)).jobs;
      expect([job?.state, job?.session]).toEqual(["running", worker.id]);
      expect(worker.running.size).toBe(1);
      return true;
    });
  },
};

async function isSeenToRun(point: Point, room: string): Promise<void> {
  await point.until(
    `${room} is seen to run`,
    async () => (await point.ledgerOf(room)).jobs[0]?.state === "running",
  );
}

export const gatewayOperations: readonly Operation<unknown>[] = [
  register,
  accept,
  success,
  socketGone,
  migrate,
];
