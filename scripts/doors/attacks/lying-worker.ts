/** One worker of the honest ones' agent always says that it has nothing to do, and keeps each job for as long as it lasts. */
import { startWorker } from "../../../test/kit/simulated-worker.js";
import { type Attack, MARK } from "../attack.js";
import { orderAgent } from "../honest/calls.js";
import { pause } from "../sockets.js";

const AGENT = "loaded";
const HONEST = 4;
/** Fewer than the honest ones have room for: what nobody else can take is the liar's. */
const JOBS = 24;
const EACH_JOB = 0.1;
const SAMPLE_EVERY_MS = 100;
const BETWEEN_JOBS_MS = 400;
/** Twice its fair part. */
const MOST = 2 / (HONEST + 1);

export const lyingWorker: Attack = {
  name: "lying-worker",
  about: "one of five workers always reports load 0 and no jobs, whatever it has",
  leaves: "allowed",
  leastSeconds: 15,
  run: async ({ api, gateway, signal, tokens }) => {
    const options = {
      url: gateway,
      reports: true,
      sampleEveryMs: SAMPLE_EVERY_MS,
      register: { agentName: AGENT },
    };
    const honest = await Promise.all(
      Array.from({ length: HONEST }, () =>
        startWorker({ ...options, token: tokens.worker(), loadPerJob: EACH_JOB }),
      ),
    );
    const { sampleEveryMs: _, ...silent } = options;
    const liar = await startWorker({ ...silent, token: tokens.worker() });
    const lie = setInterval(() => liar.client.sample({ status: 0, load: 0, jobCount: 0 }), SAMPLE_EVERY_MS);
    const jobs = JOBS;
    for (let job = 0; job < jobs && !signal.aborted; job++) {
      const room = `loaded-${MARK}-${job}`;
      await orderAgent(api, tokens.roomAdmin(room), room, AGENT);
      // So that some samples come in between.
      await pause(BETWEEN_JOBS_MS, signal);
    }
    await pause(500, signal);
    clearInterval(lie);
    const all = [liar, ...honest];
    const assigned = all.reduce((sum, worker) => sum + worker.assigned.length, 0);
    const share = liar.assigned.length / Math.max(1, assigned);
    await Promise.all(all.map((worker) => worker.close()));
    return {
      figures: { assigned, sharePercent: 100 * share },
      broken: share > MOST ? [`the liar took ${Math.round(100 * share)} % of ${assigned} jobs`] : [],
    };
  },
};
