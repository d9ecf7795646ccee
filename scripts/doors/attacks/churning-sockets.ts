/**
 * Sockets of another agent come and go all the while. A worker of a third agent is lost with its job: that job must be
 * with another worker soon after its grace, whatever the strangers do.
 */
import { type SimulatedWorker, startWorker } from "../../../test/kit/simulated-worker.js";
import { waitUntil } from "../../../test/kit/wait-until.js";
import { connectWorker } from "../../../test/kit/worker-client.js";
import { type Attack, MARK, type Scene } from "../attack.js";
import { orderAgent } from "../honest/calls.js";
import { pause } from "../sockets.js";

const AGENT = "third";
/** The house's grace is 3 s; a stranger may cost a job a moment more, no multiple. */
const BOUND_MS = 10_000;
const LOOKED_AT_MS = 12_000;

export const churningSockets: Attack = {
  name: "churning-sockets",
  about: "15 sockets of another agent come and go while a job loses its worker",
  leaves: "allowed",
  leastSeconds: 14,
  run: async (scene) => {
    const { api, gateway, tokens, signal } = scene;
    const worker = async () =>
      await startWorker({
        ...{ url: gateway, token: tokens.worker(), userAgent: "Python/3.11 aiohttp/3.14.5", reports: true },
        register: { agentName: AGENT },
      });
    const lost = await worker();
    await orderAgent(api, tokens.roomAdmin("third-room"), "third-room", AGENT);
    await waitUntil("the job runs", () => lost.running.size === 1, { deadlineMs: 10_000 });
    const other = await worker();
    const over = new AbortController();
    const churning = Array.from({ length: scene.sized(15, 15) }, () => churn(scene, over.signal));
    await pause(1_500, signal);
    const resumedMs = await timeUntilResumed(lost, other, scene);
    over.abort();
    const churned = (await Promise.all(churning)).reduce((sum, count) => sum + count, 0);
    await other.close();
    return {
      figures: { churned, resumedMs },
      broken: resumedMs > BOUND_MS ? [`the lost job was not resumed within ${BOUND_MS} ms`] : [],
    };
  },
};

async function timeUntilResumed(
  lost: SimulatedWorker,
  other: SimulatedWorker,
  { signal }: Scene,
): Promise<number> {
  const lostAtMs = performance.now();
  await lost.close();
  while (other.assigned.length === 0 && performance.now() - lostAtMs < LOOKED_AT_MS && !signal.aborted)
    await pause(20, signal);
  return other.assigned.length === 0 ? Math.max(LOOKED_AT_MS, BOUND_MS + 1) : performance.now() - lostAtMs;
}

async function churn({ gateway, tokens }: Scene, signal: AbortSignal): Promise<number> {
  let count = 0;
  const token = tokens.worker();
  while (!signal.aborted) {
    try {
      const client = await connectWorker({ url: gateway, token, handshakeMs: 2_000 });
      await client.register({ agentName: `${MARK}-churning` });
      count++;
      await pause(200, signal);
      client.cut();
    } catch {
      await pause(100, signal);
    }
  }
  return count;
}
