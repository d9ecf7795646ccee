/**
 * The honest workers: a handful that behave as Python's do. They decline what no worker of their agent could do, as an
 * entry does whose room has malformed metadata.
 */
import { startWorker } from "../../../test/kit/simulated-worker.js";
import { HONEST_AGENT, POISON } from "../attack.js";

const COUNT = 5;
const JOB_MS = 200;
const SAMPLE_EVERY_MS = 2_500;
const LOAD_PER_JOB = 0.05;

export interface HonestWorkers {
  onAssigned: (room: string) => void;
  onEnded: (room: string) => void;
  /** Jobs that each took. */
  served(): number[];
  /** Sockets that were lost, over all. */
  lost(): number;
  stop(): Promise<void>;
}

export async function startHonestWorkers(gateway: string, token: () => string): Promise<HonestWorkers> {
  let lost = 0;
  const honest: Pick<HonestWorkers, "onAssigned" | "onEnded"> = { onAssigned() {}, onEnded() {} };
  const watch = {
    registered() {},
    offered() {},
    lost: () => void lost++,
    started: ({ room }: { room: string }) => honest.onAssigned(room),
    over: ({ room }: { room: string }, how: string) => {
      if (how === "success") honest.onEnded(room);
    },
  };
  const workers = await Promise.all(
    Array.from({ length: COUNT }, () =>
      startWorker({
        ...{ url: gateway, token: token(), reconnects: "python", reports: true, watch },
        ...{ jobMs: JOB_MS, sampleEveryMs: SAMPLE_EVERY_MS, loadPerJob: LOAD_PER_JOB },
        register: { agentName: HONEST_AGENT },
        onOffer: ({ job }) => (job?.room?.name.startsWith(POISON) ? "reject" : "accept"),
      }),
    ),
  );
  return Object.assign(honest, {
    served: () => workers.map(({ assigned }) => assigned.length),
    lost: () => lost,
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
    },
  });
}
