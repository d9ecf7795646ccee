/**
 * A worker registers once in each of thousands of namespaces, under the name of the agent that honest callers order. They name
 * no namespace, so each of their orders would make a job in every one.
 */
import { connectWorker } from "../../../test/kit/worker-client.js";
import { type Attack, HONEST_AGENT, MARK } from "../attack.js";
import { pause } from "../sockets.js";

const AT_ONCE = 8;
/** Well above what a project has by default. */
const MOST_NAMESPACES = 100;

export const manyNamespaces: Attack = {
  name: "many-namespaces",
  about: "one worker registers the agent in 2,500 namespaces, one after the other",
  leaves: "allowed",
  spoils: true,
  leastSeconds: 5,
  run: async ({ gateway, signal, sized, tokens }) => {
    const most = sized(2_500, 200);
    const token = tokens.worker();
    let [registered, refused, next] = [0, 0, 0];
    const one = async () => {
      while (next < most && !signal.aborted) {
        const namespace = `${MARK}-${next++}`;
        try {
          const client = await connectWorker({ url: gateway, token, handshakeMs: 2_000 });
          await client.register({ agentName: HONEST_AGENT, namespace });
          registered++;
          client.cut();
        } catch {
          refused++;
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    // Honest orders meet what was left behind.
    await pause(600_000, signal);
    return {
      figures: { registered, refused },
      broken: registered > MOST_NAMESPACES ? [`workers were let into ${registered} namespaces`] : [],
    };
  },
};
