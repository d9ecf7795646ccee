/**
 * Owns what the model of the ledger remembers of losses and returns, and whose guard is up. All of its sessions have one
 * API key, so a pool has one guard. `there`: how many sessions a pool has, or, of no pool, the namespace.
 */
const WINDOW_MS = 10_000;
const RETURN_MS = 20_000;
const SETTLED_MS = 10_000;
const GUARD_UP_MS = 300_000;

interface Coming {
  connectedAt: number;
  /** When the loss was that it made good. */
  madeGood: number | undefined;
}

export interface Leaving extends Coming {
  id: string;
  pool: string;
  cameLately: boolean;
}

export interface GuardBook {
  readonly nowMs: number;
  there(pool?: string): number;
  session(id: string): Coming | undefined;
}

class Times extends Map<string, number> {
  forgetBefore(ms: number): void {
    for (const [id, at] of this) if (at <= ms) this.delete(id);
  }

  /** The oldest, and of those of one time the first by name. */
  pop(): [string, number] | undefined {
    const [first] = [...this].sort(([a, at], [b, bt]) => at - bt || (a < b ? -1 : 1));
    if (first !== undefined) this.delete(first[0]);
    return first;
  }
}

export class GuardsModel {
  readonly #book: GuardBook;
  readonly #losses = new Map<string, Times>();
  readonly #arrivals = new Map<string, Times>();
  /** Of each pool the newest loss, and the newest while there were two. */
  readonly #one = new Times();
  readonly #two = new Times();
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #guards = new Map<string, { since: number; until: number; before: number }>();

  constructor(book: GuardBook) {
    this.#book = book;
  }

  /** When the guard that holds an orphan of this pool goes or went down; 0: there is none. */
  until(pool: string, orphanedAt: number): number {
    const guard = this.#guards.get(pool);
    return guard === undefined || orphanedAt <= guard.since - WINDOW_MS ? 0 : guard.until;
  }

  forgetArrival(id: string, pool: string): boolean {
    return this.#of(this.#arrivals, pool).delete(id);
  }

  /** To be called of every session that goes, before `countLoss`. */
  leaves(id: string, pool: string, coming: Coming): Leaving {
    const cameLately = this.forgetArrival(id, pool);
    if (coming.madeGood !== undefined && !this.#isSettled(coming))
      this.#of(this.#losses, pool).set(id, coming.madeGood);
    return { ...coming, id, pool, cameLately };
  }

  countLoss(lost: Leaving): boolean {
    const { nowMs } = this.#book;
    const guard = this.#guards.get(lost.pool);
    const isUp = guard !== undefined && guard.until > nowMs;
    if (!this.#isSettled(lost)) {
      if (isUp && lost.connectedAt <= guard.since) guard.before -= 1;
      return false;
    }
    if (isUp) return false;
    const arrivals = this.#of(this.#arrivals, lost.pool);
    arrivals.forgetBefore(nowMs - RETURN_MS);
    const returned = lost.cameLately ? undefined : this.#book.session(arrivals.pop()?.[0] ?? "");
    if (returned !== undefined) {
      returned.madeGood = nowMs;
      return false;
    }
    const losses = this.#of(this.#losses, lost.pool);
    losses.set(lost.id, nowMs);
    losses.forgetBefore(nowMs - WINDOW_MS);
    const before = losses.size + this.#book.there(lost.pool);
    if (losses.size >= 3 && losses.size / before > 0.3) {
      this.#raise(lost.pool, before);
      return true;
    }
    return this.#countForSmallPools(lost.pool, losses.size);
  }

  countReturn(id: string, pool: string): void {
    const { nowMs } = this.#book;
    const guard = this.#guards.get(pool);
    if (guard !== undefined && guard.until > nowMs) {
      if (this.#book.there(pool) / guard.before >= 0.7) guard.until = nowMs;
      return;
    }
    const losses = this.#of(this.#losses, pool);
    const isSame = losses.delete(id);
    const madeGood = isSame ? undefined : losses.pop();
    const session = this.#book.session(id);
    if (madeGood !== undefined && session !== undefined) session.madeGood = madeGood[1];
    if (isSame || madeGood !== undefined) {
      if (losses.size < 2) this.#two.delete(pool);
      if (losses.size < 1) this.#one.delete(pool);
      return;
    }
    const arrivals = this.#of(this.#arrivals, pool);
    arrivals.forgetBefore(nowMs - RETURN_MS);
    arrivals.set(id, nowMs);
  }

  #countForSmallPools(pool: string, lostThere: number): boolean {
    const { nowMs } = this.#book;
    for (const times of [this.#one, this.#two]) times.forgetBefore(nowMs - WINDOW_MS);
    this.#one.set(pool, nowMs);
    if (lostThere > 1) this.#two.set(pool, nowMs);
    const count = this.#one.size + this.#two.size;
    if (count < 3 || count / (count + this.#book.there()) <= 0.3) return false;
    const pools = this.#lookedAt > nowMs - WINDOW_MS ? [pool] : [...this.#one.keys()];
    const gone = pools.filter(
      (each) => this.#of(this.#losses, each).size > 0 && this.#book.there(each) === 0,
    );
    for (const each of gone) this.#raise(each, this.#of(this.#losses, each).size);
    this.#lookedAt = nowMs;
    return gone.length > 0;
  }

  #raise(pool: string, before: number): void {
    const { nowMs } = this.#book;
    this.#guards.set(pool, { since: nowMs, until: nowMs + GUARD_UP_MS, before });
    this.#losses.delete(pool);
  }

  #isSettled({ connectedAt }: Coming): boolean {
    return this.#book.nowMs - connectedAt >= SETTLED_MS;
  }

  #of(all: Map<string, Times>, pool: string): Times {
    const times = all.get(pool) ?? new Times();
    all.set(pool, times);
    return times;
  }
}
