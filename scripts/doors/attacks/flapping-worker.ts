/** A worker that crashes as soon as it has registered, and is started again at once; what counts is what the logs grow by. */
import { connectWorker } from "../../../test/kit/worker-client.js";
import { type Attack, MARK } from "../attack.js";
import { pause } from "../sockets.js";

export const flappingWorker: Attack = {
  name: "flapping-worker",
  about: "one worker registers and is cut, 20,000 times and as fast as it gets",
  leaves: "allowed",
  run: async ({ gateway, signal, sized, tokens }) => {
    const most = sized(20_000, 20_000);
    let [registered, refused] = [0, 0];
    const token = tokens.worker();
    const one = async () => {
      while (registered + refused < most && !signal.aborted) {
        try {
          const client = await connectWorker({ url: gateway, token, handshakeMs: 2_000 });
          await client.register({ agentName: `${MARK}-flapping` });
          registered++;
          client.cut();
        } catch {
          refused++;
          await pause(10, signal);
        }
      }
    };
    await Promise.all([one(), one(), one(), one()]);
    return { figures: { registered, refused }, broken: [] };
  },
};
