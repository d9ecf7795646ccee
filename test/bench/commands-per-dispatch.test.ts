/**
 * `npm run count`: how many Redis commands one dispatch costs, from the request to the assignment. Counted at our own
 * clients and checked against what Redis says it was sent. Left out, as they come with time and not with dispatches:
 * blocked reads, lease renewals, load samples, looks at timers, indexes and the board of listeners (one a second).
 */
import { AgentDispatchClient } from "livekit-server-sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { workerToken } from "../kit/access-tokens.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type SimulatedWorker, startWorker } from "../kit/simulated-worker.js";
import { waitUntil } from "../kit/wait-until.js";
import { type CountedMuster, startCountedMuster } from "./counted-muster.js";

const KEY = "bench-key";
const SECRET = "bench-secret-that-is-long-enough";
const BUDGET = 8;
const WORKERS = 20;

/** What comes with time, not with dispatches. */
const TIMED =
  /inbox: |: (node |ledger (assert-gateway|sample-sessions|list-due|list-waiting|rest|list-agent|remember-agent|expire-\w+|sweep-ended)$|xtrim$|ping$|exists$|set$|zrevrange$)/;
/** On the board of listeners, by api and dispatcher. */
const BOARD = /: exists$/;

let redis: RedisServer;
let muster: CountedMuster;
const workers: SimulatedWorker[] = [];
let rooms = 0;

beforeAll(async () => {
  redis = await startRedis();
  muster = await startCountedMuster(redis.url, KEY, SECRET);
  for (let index = 0; index < WORKERS; index++) {
    const token = workerToken(KEY, SECRET);
    const worker = await startWorker({
      url: muster.gatewayUrl,
      token,
      register: { agentName: "agent" },
      sampleEveryMs: 250,
    });
    worker.sample();
    workers.push(worker);
  }
  await dispatch({ count: 50, inFlight: 4 });
}, 60_000);

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.close()));
  await muster.stop();
  await redis.stop();
});

const assigned = () => workers.reduce((sum, worker) => sum + worker.assigned.length, 0);

/** Resolves when every one is assigned. With one in flight, each waits for the assignment of the one before. */
async function dispatch({ count, inFlight }: { count: number; inFlight: number }): Promise<void> {
  const client = new AgentDispatchClient(muster.apiUrl, KEY, SECRET);
  const before = assigned();
  let next = 0;
  const caller = async () => {
    while (next < count) {
      next++;
      await client.createDispatch(`room-${++rooms}`, "agent");
      if (inFlight === 1)
        await waitUntil("it is assigned", () => assigned() === before + next, { everyMs: 1 });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  await waitUntil("all are assigned", () => assigned() === before + count, { everyMs: 1 });
}

it.each([
  { name: "one at a time", count: 200, inFlight: 1 },
  { name: "32 in flight", count: 500, inFlight: 32 },
])(
  "costs at most 8 commands: $name",
  async ({ name, count, inFlight }) => {
    const observer = redis.client();
    await observer.call("CONFIG", "RESETSTAT");
    muster.reset();
    const startedAtMs = performance.now();
    await dispatch({ count, inFlight });
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const [stats, atClients] = [await observer.info("commandstats"), muster.scripts()];
    const issued = new Map(muster.counts());

    const perDispatch = [...issued]
      .filter(([what]) => !TIMED.test(what))
      .map(([what, calls]) => [what, calls / count] as const);
    const total = perDispatch.reduce((sum, [, calls]) => sum + calls, 0);
    const lines = perDispatch
      .sort(([, a], [, b]) => b - a)
      .map(([what, calls]) => `  ${calls.toFixed(2)}  ${what}`);
    const timed = [...issued].filter(([what]) => TIMED.test(what)).reduce((sum, [, calls]) => sum + calls, 0);
    const atRedis = scriptsAtRedis(stats);
    process.stdout.write(
      [
        `Redis commands per dispatch, ${name} (${count} dispatches):`,
        ...lines,
        `  ----`,
        `  ${total.toFixed(2)}  in all; budget ${BUDGET}. Not counted: ${timed} renewals, samples and blocked reads.`,
        `  Scripts run by our clients ${atClients}; received by Redis ${atRedis}.`,
        "",
      ].join("\n"),
    );
    expect(total).toBeLessThanOrEqual(BUDGET);
    const onBoard = [...issued]
      .filter(([what]) => BOARD.test(what))
      .reduce((sum, [, calls]) => sum + calls, 0);
    expect(onBoard).toBeLessThanOrEqual(2 * (seconds + 1));
    // Some may be on their way when either side is read.
    expect(Math.abs(atRedis - atClients)).toBeLessThanOrEqual(20);
  },
  60_000,
);

/** Scripts that clients ran, as Redis counts them. Other commands it counts from within scripts too. */
function scriptsAtRedis(stats: string): number {
  const calls = stats.matchAll(/^cmdstat_(?:evalsha|eval):calls=(\d+)/gm);
  return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
}
