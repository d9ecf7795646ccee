/** One token opens more streams of events than a process has for everybody, and keeps at it. */
import type { Attack } from "../attack.js";
import { pause } from "../sockets.js";

export const greedyStreams: Attack = {
  name: "greedy-streams",
  about: "one token opens 250 streams of events and keeps them",
  leaves: "refused",
  run: async ({ api, signal, sized, tokens }) => {
    const count = sized(250, 210);
    const headers = { authorization: `Bearer ${tokens.operator()}` };
    let [open, refused, ended] = [0, 0, 0];
    const one = async () => {
      try {
        const answer = await fetch(`${api}/v1/events`, { headers, signal });
        if (!answer.ok) return void refused++;
        open++;
        for await (const _ of answer.body ?? []) if (signal.aborted) return;
        ended++;
      } catch {
        // Its time is over, or it was cut.
        if (!signal.aborted) ended++;
      }
    };
    const streams = Array.from({ length: count }, one);
    await pause(600_000, signal);
    await Promise.all(streams);
    return { figures: { streams: count, open, refused, ended }, broken: [] };
  },
};
