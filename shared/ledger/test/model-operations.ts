/**
 * Owns which operations a random sequence of the model test is made of, and how often each comes.
 */
import type { PlacementPolicy } from "@muster/ledger/shapes";
import fc from "fast-check";
import { AWAY_MS, CANDIDATE_POOL, LEASE_MS, MAX_ATTEMPTS, POOL, SECOND_POOL, WAIT_MS } from "./scene.js";

const job: fc.Arbitrary<string> = fc.constantFrom("AJ_0", "AJ_1", "AJ_2", "AJ_3", "AJ_4", "AJ_5");
const ramp = fc.constantFrom<{ afterMs: number; percent: number }[]>(
  [{ afterMs: 0, percent: 100 }],
  [{ afterMs: 0, percent: 50 }],
  [
    { afterMs: 0, percent: 30 },
    { afterMs: 5_000, percent: 100 },
  ],
);
const split = fc.record({
  ...{ stable: fc.constantFrom("", "", "old"), steps: ramp },
  ...{ maxBadPercent: fc.constantFrom(0, 0, 50, 100), minJobs: fc.constantFrom(1, 1, 2, 4) },
});
/** Sessions and jobs to begin with, so that a sequence does not spend itself on getting somewhere. */
export const beginning = fc.record({
  ...{ sessions: fc.nat({ max: 5 }), jobs: fc.nat({ max: 4 }) },
  split: fc.option(split, { freq: 2 }),
  knowsPresence: fc.boolean(),
  /** What one session has against it. */
  ails: fc.constantFrom("nothing", "failures", "refusals"),
});
const session: fc.Arbitrary<string> = fc.constantFrom("AW_0", "AW_1", "AW_2", "AW_3", "AW_4");
/** Mostly a job in a state that the operation is about, with the session and the epoch that the ledger has. */
const at = fc.record({ job, other: fc.option(session, { freq: 2 }), late: fc.nat({ max: 9 }) });
const load = fc.constantFrom(-1, 0, 0.1, 0.3, 0.65, 0.7, 1);
/** Whether the caller was away until a moment ago. */
const away = fc.nat({ max: 3 });
const changes = fc.record(
  {
    priority: fc.nat({ max: 2 }),
    waitMs: fc.constantFrom(1_000, 20_000, WAIT_MS),
    maxAttempts: fc.integer({ min: 1, max: MAX_ATTEMPTS }),
    restarts: fc.boolean(),
  },
  { requiredKeys: [] },
);
const policy: fc.Arbitrary<PlacementPolicy> = fc.record(
  {
    strategy: fc.constantFrom("spread", "pack", "weighted"),
    max_load: fc.constantFrom(0.3, 0.7, 1),
    max_jobs: fc.integer({ min: 1, max: 3 }),
    job_load: fc.constantFrom(0.05, 0.3),
    reserved_jobs: fc.nat({ max: 2 }),
    reserved_load: fc.constantFrom(0, 0.2),
    reserved_from: fc.constant(1),
  },
  { requiredKeys: [] },
);
/** Orders that make jobs as participants come, by the place that one after the other has; and the participants. */
const slot = fc.constantFrom("AD_open", "AD_other");
const person = fc.constantFrom("", "", "ann", "ben");
const is = <T extends string>(...names: T[]) => fc.constantFrom(...names);

/** What every sequence is made of. */
const CORE = [
  { weight: 5, arbitrary: fc.record({ do: is("register"), session, cap: fc.nat({ max: 3 }) }) },
  {
    weight: 7,
    arbitrary: fc.record({
      do: is("sample"),
      session,
      load,
      full: fc.nat({ max: 5 }),
      count: fc.nat({ max: 1 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      ...{ do: is("order"), job, priority: fc.nat({ max: 1 }), never: fc.nat({ max: 4 }) },
      oneLife: fc.boolean(),
      steps: fc.constantFrom(0, 1, 1, 2),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: is("admit"), job }) },
  { weight: 6, arbitrary: fc.record({ do: is("expireJob"), at, away }) },
  { weight: 3, arbitrary: fc.record({ do: is("serve"), pool: is(POOL, POOL, SECOND_POOL, CANDIDATE_POOL) }) },
  { weight: 10, arbitrary: fc.record({ do: is("accept"), at }) },
  { weight: 3, arbitrary: fc.record({ do: is("seen", "withdraw"), at }) },
  { weight: 3, arbitrary: fc.record({ do: is("agentJoins"), at }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: is("settleUnjoined"), at, company: fc.boolean() },
      verdict: is("joined", "never", "never", "unknown"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: is("reject"), at, terminate: fc.nat({ max: 6 }) },
      reason: is("rejected", "slow", "slow", "silent", "undelivered"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: is("settleLate"),
      answer: is("yes", "yes", "no", "none"),
      pick: fc.nat({ max: 5 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ do: is("report"), at, status: is("running", "success", "failed", "failed") },
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: is("terminate", "delete", "end"),
      job,
      canAsk: fc.constantFrom(true, true, false),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: is("endRoom"), job }) },
  { weight: 3, arbitrary: fc.record({ do: is("deregister"), session, goodbye: fc.nat({ max: 5 }) }) },
  { weight: 5, arbitrary: fc.record({ do: is("expireSession"), session }) },
  { weight: 3, arbitrary: fc.record({ do: is("assert"), held: fc.array(at, { maxLength: 3 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: is("migrate"), session, named: fc.array(at, { maxLength: 4 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      ...{ do: is("settle"), at, verdict: is("absent", "present", "unknown", "unknown") },
      ...{ unproven: fc.boolean(), canAsk: fc.boolean(), deserted: fc.nat({ max: 9 }) },
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: is("restore"), at }) },
  { weight: 6, arbitrary: fc.record({ do: is("expireStop") }) },
  { weight: 2, arbitrary: fc.record({ do: is("confirmStop"), wasThere: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: is("expireGateway"), away }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: is("pass"),
      ms: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(1, 1, 1, 300, 1_000, 3_500, 3_500, 5_000, 30_000, 35_000) },
        { weight: 1, arbitrary: fc.constantFrom(300_000, LEASE_MS / 3, LEASE_MS) },
      ),
    }),
  },
] as const;

/** What some are made of as well: all at once, a sequence would hardly get anywhere with any of them. */
const FAMILIES = {
  placement: [{ weight: 1, arbitrary: fc.record({ do: is("setPlacement"), policy }) }],
  splits: [
    { weight: 1, arbitrary: fc.record({ do: is("setSplit"), split: fc.option(split, { freq: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ do: is("readSplit") }) },
    { weight: 2, arbitrary: fc.record({ do: is("expireSplit") }) },
  ],
  openOrders: [
    {
      weight: 2,
      arbitrary: fc.record({
        ...{ do: is("openOrder"), slot, hasRoomJob: fc.boolean(), held: fc.nat({ max: 4 }) },
        waitMs: fc.constantFrom(1_000, 20_000, WAIT_MS),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: is("roomOpens"), slot, person }) },
    { weight: 3, arbitrary: fc.record({ do: is("roomCloses"), slot }) },
    {
      weight: 4,
      arbitrary: fc.record({
        ...{ do: is("callers"), slot },
        seenMs: fc.constantFrom<(number | undefined)[]>(undefined, 0, 0, 5_000, AWAY_MS),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: is("expireOrder"), slot }) },
    {
      weight: 3,
      arbitrary: fc.record({
        ...{ do: is("holdOpen", "releaseOpen", "releaseOpen", "deleteOpen", "changeOpen"), slot },
        waitMs: fc.constantFrom(1_000, 20_000, WAIT_MS),
      }),
    },
  ],
  terms: [
    { weight: 2, arbitrary: fc.record({ do: is("change"), job, changes }) },
    { weight: 2, arbitrary: fc.record({ do: is("hold", "release", "release"), job }) },
  ],
  drains: [
    {
      weight: 3,
      arbitrary: fc.record({
        ...{ do: is("drain", "undrain", "undrain"), session },
        ...{ isWide: fc.boolean(), isApplied: fc.boolean() },
      }),
    },
  ],
  health: [{ weight: 1, arbitrary: fc.record({ do: is("reinstate"), session }) }],
} as const;

const FAMILY_NAMES = Object.keys(FAMILIES) as (keyof typeof FAMILIES)[];
const MOST_FAMILIES = 2;

/** So many operations, of the core and of at most two families. */
export function sequenceOf(length: number): fc.Arbitrary<Operation[]> {
  return fc.subarray(FAMILY_NAMES, { maxLength: MOST_FAMILIES }).chain((names) => {
    const operation: fc.Arbitrary<Operation> = fc.oneof(
      ...CORE,
      ...names.flatMap((name) => [...FAMILIES[name]]),
    );
    return fc.array(operation, { minLength: length, maxLength: length, size: "max" });
  });
}

type OperationOf<T> = T extends { arbitrary: fc.Arbitrary<infer O> } ? O : never;
export type Operation =
  | OperationOf<(typeof CORE)[number]>
  | OperationOf<(typeof FAMILIES)[keyof typeof FAMILIES][number]>;
export type At = typeof at extends fc.Arbitrary<infer T> ? T : never;
