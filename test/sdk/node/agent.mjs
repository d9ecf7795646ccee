/**
 * The entry of a stock Node agent: writes down what it was given, and ends when it is told to. With AGENT_CONNECTS it
 * comes into its room, as agents do; else it never connects to a media server. With AGENT_DIES its process ends before that.
 */

import { appendFileSync } from "node:fs";
import { defineAgent } from "@livekit/agents";

const record = (event) =>
  appendFileSync(process.env.AGENT_RECORD, `${JSON.stringify({ atMs: Date.now(), ...event })}\n`);

export default defineAgent({
  prewarm: () => record({ event: "prewarm" }),
  entry: async (ctx) => {
    const { url, token } = ctx.info;
    record({ event: "entry", job: ctx.job, url, token });
    ctx.addShutdownCallback(async () => record({ event: "shutdown", jobId: ctx.job.id }));
    if (process.env.AGENT_DIES !== undefined) process.exit(1);
    if (process.env.AGENT_CONNECTS !== undefined) await ctx.connect();
  },
});
