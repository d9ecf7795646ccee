/** The admin of one room orders jobs that every worker of the agent declines. */
import { type Attack, HONEST_AGENT, MARK, POISON } from "../attack.js";
import { pause } from "../sockets.js";

export const poisonJobs: Attack = {
  name: "poison-jobs",
  about: "the admin of one room orders the agent 20 times, for a room that every worker declines",
  leaves: "allowed",
  spoils: true,
  leastSeconds: 5,
  run: async ({ api, signal, sized, tokens }) => {
    const room = `${POISON}${MARK}`;
    const count = sized(20, 5);
    let taken = 0;
    for (let order = 0; order < count; order++) {
      const answer = await fetch(`${api}/twirp/livekit.AgentDispatchService/CreateDispatch`, {
        method: "POST",
        headers: { authorization: `Bearer ${tokens.roomAdmin(room)}`, "content-type": "application/json" },
        body: JSON.stringify({ room, agent_name: HONEST_AGENT, metadata: `{"number":${order},` }),
      });
      await answer.body?.cancel();
      if (answer.ok) taken++;
    }
    await pause(600_000, signal);
    return { figures: { orders: count, taken }, broken: [] };
  },
};
