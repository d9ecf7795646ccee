/**
 * How many workers a pool needs, by what it has to do. Owns the arithmetic and nothing else: the counts come from the
 * ledger (lua/measure-pool), and whoever asks decides what room is to be kept free.
 */

/** Of one pool, or of several together. */
export interface PoolSize {
  /** Places taken on workers that go on taking jobs: what runs, what is offered, what was told to stop. */
  used: number;
  /** The same on workers that take no more jobs. */
  leaving: number;
  /** Jobs that could be given at once. */
  free: number;
  /** Jobs that wait and are not on hold. */
  queued: number;
  /** Jobs that no worker can do, beside those: more workers would not help them. */
  suspect: number;
  /** How long the one of them waits that waits longest; 0 when none does. */
  oldestWaitMs: number;
  available: number;
  full: number;
  cooling: number;
  /** By their own wish. */
  draining: number;
  /** By an operator's; and those of them that still have something to do. */
  drained: number;
  drainedBusy: number;
}

export interface ScalingTerms {
  /** Share of the demand that is to be free on top of it, 0–1. */
  headroom: number;
  /** Places that are to be free on top of the demand, at least. */
  headroomSlots: number;
  /** What a worker can take; undefined: what those that are there do, on average. */
  slotsPerWorker: number | undefined;
}

export interface Needed {
  slots: number;
  workers: number;
  /** What was reckoned with; 0 when nothing is known. */
  slotsPerWorker: number;
}

export const NO_TERMS: ScalingTerms = { headroom: 0, headroomSlots: 0, slotsPerWorker: undefined };
export const EMPTY_POOL: PoolSize = {
  ...{ used: 0, leaving: 0, free: 0, queued: 0, suspect: 0, available: 0, full: 0 },
  ...{ cooling: 0, draining: 0, drained: 0, drainedBusy: 0, oldestWaitMs: 0 },
};

export function addSizes(a: PoolSize, b: PoolSize): PoolSize {
  const names = Object.keys(EMPTY_POOL) as (keyof PoolSize)[];
  const sums = Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as PoolSize;
  return { ...sums, oldestWaitMs: Math.max(a.oldestWaitMs, b.oldestWaitMs) };
}

/**
 * Workers are replicas of whoever runs them, so those count that stand there without taking jobs: who is drained by an
 * operator, as long as it has something to finish, and who cools down, but no more of these than serve: else a deployment
 * that fails as a whole would be given ever more workers. Who drains by itself is on its way out, and no replica any more.
 * Without a worker to learn from, and nothing said of how many jobs one takes, the first one shows it.
 */
export function neededOf(size: PoolSize, { headroom, headroomSlots, slotsPerWorker }: ScalingTerms): Needed {
  const demand = size.used + size.queued;
  const slots = Math.max(Math.ceil(demand * (1 + headroom) - EPSILON), demand + headroomSlots);
  const serving = size.available + size.full;
  const seen = serving === 0 ? 0 : (size.used + size.free) / serving;
  const each = slotsPerWorker ?? seen;
  const base = each > 0 ? Math.ceil(slots / each - EPSILON) : Math.max(serving, 1);
  const beside = size.drainedBusy + (slots > 0 ? Math.min(size.cooling, serving) : 0);
  return { slots, workers: (slots > 0 ? base : 0) + beside, slotsPerWorker: each };
}

/** What is lost in fractions must not add a worker. */
const EPSILON = 1e-9;
