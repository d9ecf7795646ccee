/**
 * The entry of a stock Node agent that comes into real rooms. What it does is in its job's metadata, as JSON, by the same
 * words as in test/sdk/python/room_worker.py. test/livekit/stock-agents.ts starts it.
 */

import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { defineAgent } from "@livekit/agents";

const record = (event) =>
  appendFileSync(process.env.AGENT_RECORD, `${JSON.stringify({ atMs: Date.now(), ...event })}\n`);

const asked = (ctx) => JSON.parse(ctx.job.metadata || '{"does": "stays"}');
const join = async (ctx) => {
  await ctx.connect();
  record({ event: "joined", jobId: ctx.job.id, room: ctx.job.room.name });
};
const raise = (when) => {
  throw new Error(`this entry raises ${when}`);
};

const ENTRIES = {
  stays: join,
  leaves: async (ctx) => {
    await join(ctx);
    await delay(asked(ctx).after_ms ?? 0);
    ctx.shutdown("left");
  },
  raises_before: () => raise("before it connects"),
  raises_after: async (ctx) => {
    await join(ctx);
    raise("after it connected");
  },
  dies_before: () => process.exit(1),
  dies_after: async (ctx) => {
    await join(ctx);
    process.exit(1);
  },
  ends_unjoined: (ctx) => ctx.shutdown("never joined"),
  hangs: () => new Promise(() => {}),
};

export default defineAgent({
  entry: async (ctx) => {
    const { url, token } = ctx.info;
    record({ event: "entry", job: ctx.job, url, token });
    ctx.addShutdownCallback(async () => record({ event: "shutdown", jobId: ctx.job.id }));
    await delay(asked(ctx).warm_up_ms ?? 0);
    await ENTRIES[asked(ctx).does](ctx);
  },
});
