/**
 * Placement under concurrent claims from several processes, at random: no worker over its cap, no offer to one that is full,
 * draining or cooling down, and nobody passed by one that stands behind it in line.
 */
import { randomInt } from "node:crypto";
import { createLedger } from "@muster/ledger/ledger";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RedisServer, startRedis } from "./kit/redis-server.js";
import { waitUntil } from "./kit/wait-until.js";
import { Claimers } from "./placement/claimers.js";
import { offersOutOfOrder, offersToTheClosed } from "./placement/judge.js";
import { NAMESPACE, Race } from "./placement/race.js";

const CLAIMERS = 3;
const JOBS = 600;

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server?.stop());

/** Mulberry32: the same sequence for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("under random claims of several processes no bound is passed, and nobody in line", {
  timeout: 120_000,
}, async () => {
  const seed = randomInt(2 ** 31);
  process.stdout.write(`placement race: seed ${seed}\n`);
  const random = randomFrom(seed);
  const redis = server.client();
  const race = new Race(redis, createLedger(redis), random);
  const workers = Array.from({ length: 6 }, (_, index) => `AW_${index}`);
  for (const [index, worker] of workers.entries()) await race.worker(worker, 1 + (index % 3));
  const failed = (error: unknown) => race.errors.push(String(error));
  race.claimers = await Claimers.start(
    CLAIMERS,
    server.url,
    NAMESPACE,
    (request, reply) => {
      race.hear("job" in request ? request.job : undefined, reply).catch(failed);
    },
    failed,
  );
  const closing = (async () => {
    while (race.jobs.size < JOBS)
      await race.close(workers[Math.floor(random() * workers.length)] ?? "", 5 + Math.floor(random() * 40));
  })();
  for (let index = 0; index < JOBS; index++) await race.order(String(index));
  await closing;
  await waitUntil(
    "every job has ended",
    async () => {
      await race.retry();
      return race.done === JOBS;
    },
    { deadlineMs: 60_000 },
  );
  await race.settled();
  race.claimers.stop();
  expect(race.errors).toEqual([]);
  expect(race.overCap).toEqual([]);
  expect(offersToTheClosed(race)).toEqual([]);
  expect(offersOutOfOrder(race)).toEqual([]);
  // It was a race: workers closed in the midst of it, and jobs stood in line.
  expect(new Set(race.closed.map(({ why }) => why))).toEqual(new Set(["full", "draining", "cooling"]));
  expect([...race.jobs.values()].filter(({ parkedAt }) => parkedAt !== undefined).length).toBeGreaterThan(
    JOBS / 4,
  );
});
