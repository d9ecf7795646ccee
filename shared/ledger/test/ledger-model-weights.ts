/**
 * Owns what the model of the ledger knows of loads that do not fit the jobs behind them: what a job costs the peers of a
 * pool, looked at every 10 s, and what a worker that says far less is taken for.
 */
import type { ModelSession } from "./ledger-model-types.js";
import { six } from "./placement-model.js";

const IN_LOAD_MS = 2_500;
const LEAST_HELD = 3;
const FITS = 0.2;
const LOOK_EVERY_MS = 10_000;
const NAMED_AFTER = 4;
const LEAST_NAMED = 0.02;
const FEW = 3;
const FEWEST_NAMING = 2;
const USUAL = 0.1;

export interface WeightsBook {
  readonly nowMs: number;
  readonly sessions: ReadonlyMap<string, ModelSession>;
  held(session: string): ReadonlyMap<string, number>;
  readonly policy: { job_load?: number };
}

export class WeightsModel {
  readonly #book: WeightsBook;
  readonly #costs = new Map<string, { cost: number; teachers: number; at: number }>();

  constructor(book: WeightsBook) {
    this.#book = book;
  }

  /** To be called with a sample, before anything is learnt from it. True when it is news that it fits or does not. */
  weigh(id: string, session: ModelSession, jobs: number, load: number): boolean {
    const weight = this.#byCount(id, session.pool, jobs, load);
    const times = session.misfits;
    session.weight = weight && { floor: six(weight.floor), cost: six(weight.cost) };
    if (weight === undefined) {
      session.misfits = 0;
      return times >= NAMED_AFTER;
    }
    const next = Math.min(NAMED_AFTER, times + 1);
    const isNamed = weight.cost >= LEAST_NAMED && weight.teachers >= FEWEST_NAMING;
    session.misfits = isNamed ? next : Math.max(1, times);
    return session.misfits >= NAMED_AFTER && times < NAMED_AFTER;
  }

  #byCount(id: string, pool: string, jobs: number, load: number) {
    if (jobs < LEAST_HELD || load >= jobs * FITS) return undefined;
    const { cost, teachers } = this.#costOf(pool);
    if (load >= jobs * FITS * cost) return undefined;
    const { nowMs } = this.#book;
    const held = [...this.#book.held(id).values()].filter((at) => at <= nowMs - IN_LOAD_MS).length;
    if (held < LEAST_HELD || load >= held * FITS * cost) return undefined;
    return { floor: held * cost, cost, teachers };
  }

  #costOf(pool: string): { cost: number; teachers: number } {
    const { nowMs, sessions, policy } = this.#book;
    const kept = this.#costs.get(pool);
    if (kept !== undefined && kept.at > nowMs - LOOK_EVERY_MS) return kept;
    const known = [...sessions.values()].flatMap((one) =>
      one.pool === pool && one.isTaught ? [one.learntCost ?? 0] : [],
    );
    const teachers = known.length;
    if (teachers < FEW) known.push(policy.job_load ?? USUAL);
    known.sort((a, b) => a - b);
    const found = { cost: known[Math.floor(known.length / 2)] ?? 0, teachers };
    this.#costs.set(pool, { ...found, at: nowMs });
    return found;
  }
}
