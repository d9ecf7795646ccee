/**
 * Measures what a claim costs Redis, by the number of workers in its pool: the CPU time of the server (`INFO cpu`), which
 * holds on a crowded machine as well, and the time that it counts for the script alone (`INFO commandstats`). Each round
 * measures every size in turn, and the sizes are compared within the round: what else the machine does meets them alike.
 */
import { invariant } from "@muster/domain/assert";
import { createLedger, type Ledger } from "@muster/ledger/ledger";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { GATEWAY, jobIdOf, orderArgs, sessionArgs } from "./muster-records.js";

export interface ClaimsPlan {
  readonly redis: RedisClient;
  /** Workers in the pool, least first: the others are compared with it. */
  readonly sizes?: readonly number[];
  readonly rounds?: number;
  readonly claims?: number;
  readonly progress?: (part: number) => void;
}

/** Means over the claims of one round, in µs. */
export interface ClaimCost {
  readonly cpuUs: number;
  /** By the clock, within the script. */
  readonly scriptUs: number;
}

export interface ClaimCosts {
  readonly sizes: readonly number[];
  /** By round, then by size. */
  readonly rounds: readonly (readonly ClaimCost[])[];
}

const SAMPLES_AT_ONCE = 256;
const START_MS = 1_700_000_000_000;
/** So that no worker is ever full of claims. */
const POLICY = { cost: 0.001, maxLoad: 1, cap: 0 };
const CLAIM = { offerMs: 5_000, retryMs: 500, scan: 32 };
const ORDER_TIMES = {
  retainMs: 60_000,
  guardMs: 3_000,
  waitMs: 3_600_000,
  listenMs: 0,
  knownForMs: -1,
  rests: -1,
};

export async function measureClaims({
  redis,
  sizes = [100, 10_000],
  rounds = 9,
  claims = 500,
  progress = () => {},
}: ClaimsPlan): Promise<ClaimCosts> {
  const ledger = createLedger(redis);
  for (const size of sizes) await fillPool(ledger, size);
  const measured: ClaimCost[][] = [];
  // The first round warms up: pages that were never touched, scripts that were never run.
  for (let round = 0; round <= rounds; round++) {
    const costs: ClaimCost[] = [];
    // Sizes take turns at being first.
    const order = round % 2 === 0 ? [...sizes.keys()] : [...sizes.keys()].reverse();
    for (const index of order)
      costs[index] = await claimRound(redis, ledger, sizes[index] ?? 0, round * claims, claims);
    if (round > 0) measured.push(costs);
    progress((round + 1) / (rounds + 1));
  }
  return { sizes, rounds: measured };
}

/** What the size at `index` costs against the first, round by round. */
export function ratios({ rounds }: ClaimCosts, index: number, what: keyof ClaimCost): number[] {
  return rounds.map((costs) => (costs[index]?.[what] ?? 0) / (costs[0]?.[what] ?? 1));
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

const namespaceOf = (size: number): string => `claims-${size}`;

async function fillPool(ledger: Ledger, size: number): Promise<void> {
  const at = { namespace: namespaceOf(size), nowMs: START_MS };
  const ids = Array.from({ length: size }, (_, index) => `AW_${index}`);
  for (const id of ids.slice(0, 1)) {
    const first = await ledger.registerSession({ ...at, ...sessionArgs(id, POLICY), rests: -1 });
    if (first.status === "unindexed")
      await ledger.registerSession({ ...at, ...sessionArgs(id, POLICY), rests: first.rests });
  }
  for (let from = 0; from < size; from += SAMPLES_AT_ONCE) {
    const some = ids.slice(from, from + SAMPLES_AT_ONCE);
    await Promise.all(
      some.map((id) => ledger.registerSession({ ...at, ...sessionArgs(id, POLICY), rests: -1 })),
    );
    const samples = some.map((session, index) => ({
      ...{ session, status: "available" as const, draining: false, job_count: 0 },
      load: ((from + index) % 97) / 200,
    }));
    await ledger.sampleSessions({ ...at, nowMs: START_MS + 1, gateway: GATEWAY, samples });
  }
}

async function claimRound(
  redis: RedisClient,
  ledger: Ledger,
  size: number,
  first: number,
  claims: number,
): Promise<ClaimCost> {
  const at = { namespace: namespaceOf(size), nowMs: START_MS + 1_000 + first };
  const indexes = Array.from({ length: claims }, (_, offset) => first + offset);
  const job = { atMs: 0, durationMs: 1, cost: 0, priority: 0 };
  await Promise.all(
    indexes.map((index) => ledger.createOrder({ ...at, ...orderArgs({ index, job }), ...ORDER_TIMES })),
  );
  await redis.call("CONFIG", "RESETSTAT");
  const cpuBeforeUs = await cpuTimeUs(redis);
  const replies = await Promise.all(
    indexes.map((index) => ledger.admit({ ...at, job: jobIdOf(index), ...CLAIM })),
  );
  const cpuUs = (await cpuTimeUs(redis)) - cpuBeforeUs;
  const stats = await redis.info("commandstats");
  invariant(
    replies.every(({ status }) => status === "offered"),
    "a claim of the measurement found no worker",
  );
  await endJobs(ledger, at, indexes);
  const [, calls = "0", usec = "0"] = /^cmdstat_evalsha:calls=(\d+),usec=(\d+)/m.exec(stats) ?? [];
  invariant(Number(calls) >= claims, "Redis counted fewer scripts than were run");
  return { cpuUs: cpuUs / claims, scriptUs: Number(usec) / Number(calls) };
}

async function cpuTimeUs(redis: RedisClient): Promise<number> {
  const times = (await redis.info("cpu")).matchAll(/^used_cpu_(?:sys|user)_main_thread:([\d.]+)/gm);
  return [...times].reduce((sum, [, seconds]) => sum + Number(seconds) * 1_000_000, 0);
}

/** So that each round finds the pool as the one before it. */
async function endJobs(
  ledger: Ledger,
  at: { namespace: string; nowMs: number },
  indexes: readonly number[],
): Promise<void> {
  const how = { outcome: "success", cause: "room_finished", message: "" };
  await Promise.all(indexes.map((index) => ledger.endJob({ ...at, job: jobIdOf(index), ...how })));
}
