/** An agent, or whoever it runs for, opens the workers' door with the token that it was given for its room. */
import { startWorker } from "../../../test/kit/simulated-worker.js";
import { waitUntil } from "../../../test/kit/wait-until.js";
import { connectWorker } from "../../../test/kit/worker-client.js";
import { type Attack, MARK } from "../attack.js";
import { orderAgent } from "../honest/calls.js";

const AGENT = "tokened";

export const jobToken: Attack = {
  name: "job-token",
  about: "the token of a job's room is used at /agent, in a header and in the query",
  leaves: "allowed",
  run: async ({ api, gateway, tokens }) => {
    const worker = await startWorker({
      ...{ url: gateway, token: tokens.worker(), reports: true, register: { agentName: AGENT } },
    });
    await orderAgent(api, tokens.roomAdmin("tokened-room"), "tokened-room", AGENT);
    await waitUntil("the job is there", () => worker.assigned.length === 1, { deadlineMs: 10_000 });
    const token = worker.assigned[0]?.token ?? "";
    let opened = 0;
    for (const way of [{ token }, { query: `access_token=${token}` }]) {
      const client = await connectWorker({ url: gateway, ...way, handshakeMs: 2_000 }).catch(() => undefined);
      if (client === undefined) continue;
      opened++;
      await client.register({ agentName: `${MARK}-tokened` }).catch(() => undefined);
      client.cut();
    }
    await worker.close();
    return {
      figures: { opened },
      broken: opened > 0 ? [`the token of a job opened /agent ${opened} times`] : [],
    };
  },
};
