/** A worker of the pool, from another address, says of a job that it does not hold that it is over, failed, or its own. */
import { startWorker } from "../../../test/kit/simulated-worker.js";
import { waitUntil } from "../../../test/kit/wait-until.js";
import { connectWorker } from "../../../test/kit/worker-client.js";
import type { Attack, Scene } from "../attack.js";
import { orderAgent } from "../honest/calls.js";
import { pause } from "../sockets.js";

const AGENT = "robbed";
const ELSEWHERE = "203.0.113.66";
const [WS_FULL, JS_SUCCESS, JS_FAILED] = [1, 2, 3];

type Way = "success" | "failed" | "migrate";

export const stolenJob: Attack = {
  name: "stolen-job",
  about: "another session of the pool ends, fails and takes a job whose holder is there",
  leaves: "allowed",
  run: async (scene) => {
    const stolen: Way[] = [];
    for (const way of ["success", "failed", "migrate"] as const)
      if (await steal(scene, way)) stolen.push(way);
    return {
      figures: { tried: 3, stolen: stolen.length },
      broken: stolen.map((way) => `a job was taken from its holder by ${way}`),
    };
  },
};

async function steal({ api, gateway, signal, tokens }: Scene, way: Way): Promise<boolean> {
  const holder = await startWorker({
    ...{ url: gateway, token: tokens.worker(), reports: true, register: { agentName: `${AGENT}-${way}` } },
  });
  const room = `robbed-${way}`;
  await orderAgent(api, tokens.roomAdmin(room), room, `${AGENT}-${way}`);
  await waitUntil("the job runs", () => holder.running.size === 1, { deadlineMs: 10_000 });
  const wire = holder.assigned[0]?.wire ?? "";
  await waitUntil(
    "it is seen to run",
    async () => (await stateOf(api, tokens.operator(), wire)) === "running",
    {
      deadlineMs: 10_000,
    },
  );
  const thief = await connectWorker({ url: gateway, token: tokens.worker(), forwardedFor: ELSEWHERE });
  await thief.register({ agentName: `${AGENT}-${way}` });
  thief.sample({ status: WS_FULL, load: 1 });
  if (way === "migrate") thief.migrate([wire]);
  else thief.report(wire, way === "success" ? JS_SUCCESS : JS_FAILED, "stolen");
  await thief.ping().catch(() => undefined);
  // A report is written behind the answer to the ping.
  for (let looks = 0; looks < 10 && holder.running.size === 1; looks++) await pause(100, signal);
  const state = await stateOf(api, tokens.operator(), wire);
  const isHeld = state === "running" && holder.client.isOpen && holder.running.has(wire);
  thief.cut();
  await holder.close();
  return !isHeld;
}

async function stateOf(api: string, token: string, wire: string): Promise<string> {
  const answer = await fetch(`${api}/v1/jobs/${wire}`, { headers: { authorization: `Bearer ${token}` } });
  return answer.ok ? ((await answer.json()) as { state: string }).state : `status ${answer.status}`;
}
