/**
 * Ends what is overdue in one namespace. Every timer is a member of one sorted set in Redis; this loop only knows when
 * to look again, so that any dispatcher can finish what another began. Owns no timer of the ledger, and never judges
 * by its own clock: each expire script looks again by Redis TIME. After a gap of ours it holds time-outs back.
 */

import type { Ledger } from "@muster/ledger/ledger";
import { jobRecord } from "@muster/ledger/records";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { type Expire, readTimer } from "./expire.js";
import type { Hold } from "./hold.js";
import type { OddOnes } from "./odd-ones.js";

export interface DeadlinesDeps {
  namespace: string;
  ledger: Ledger;
  expire: Pick<Expire, "timer">;
  hold: Pick<Hold, "answered" | "isHolding" | "endsAtMs" | "awakeSinceMs">;
  odd: Pick<OddOnes, "note">;
  clock: Clock;
  log: Log;
  /** Looks at least this often while the namespace is hosted: others set timers too, and their hints can be lost. */
  maxSleepMs: number;
}

const BATCH = 128;
/** Of kinds that this version has not: these stay due, and are asked for beside a batch so that they hide none behind them. */
const MOST_UNKNOWN = 4_096;
/** After an error of Redis; it has been logged, and the timers stay where they are. */
const RETRY_AFTER_MS = 500;

export class Deadlines {
  readonly #deps: DeadlinesDeps;
  #cancel: () => void = () => {};
  /** When the loop will look next, by our clock. */
  #wakeAtMs = Number.POSITIVE_INFINITY;
  /** Redis time minus ours, as of the last look; only used to sleep about right. */
  #skewMs = 0;
  /** Since when Redis owes us an answer, by our clock. */
  #askedAtMs: number | undefined;
  /** Found due and held back, in the hold that is on: not looked at again before it is over. */
  readonly #held = new Set<string>();
  /** Due as of the last look, and left where they are for a version that knows them. */
  #unknown = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: DeadlinesDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#sleepUntil(this.#deps.clock.now());
  }

  /** A timer was set for this time (Redis time): look then, if that is sooner than planned. */
  nudge(dueAtMs: number): void {
    const atMs = dueAtMs - this.#skewMs;
    if (atMs < this.#wakeAtMs) this.#sleepUntil(atMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  #sleepUntil(atMs: number): void {
    if (this.#stopped) return;
    const { clock, maxSleepMs } = this.#deps;
    this.#cancel();
    this.#wakeAtMs = Math.min(atMs, clock.now() + maxSleepMs);
    this.#cancel = clock.setTimer(Math.max(1, this.#wakeAtMs - clock.now()), () => {
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.#running ??= this.#look().finally(() => {
        this.#running = undefined;
      });
    });
  }

  async #look(): Promise<void> {
    const { namespace, ledger, hold, clock, log, maxSleepMs } = this.#deps;
    let nextAtMs = clock.now() + RETRY_AFTER_MS;
    try {
      this.#askedAtMs ??= clock.now();
      const limit = BATCH + Math.min(this.#unknown, MOST_UNKNOWN);
      const due = await ledger.listDue({ namespace, limit });
      hold.answered(this.#askedAtMs);
      this.#askedAtMs = undefined;
      this.#skewMs = due.now - clock.now();
      await this.#fire(due.timers);
      nextAtMs = clock.now() + maxSleepMs;
      if (due.next >= 0) nextAtMs = due.next - this.#skewMs;
      if (this.#held.size > 0) nextAtMs = Math.min(nextAtMs, hold.endsAtMs());
      else if (due.timers.length === limit && (this.#unknown < limit || limit < BATCH + MOST_UNKNOWN))
        nextAtMs = clock.now();
    } catch (error) {
      log.warn({ namespace, err: error }, "timers could not be looked at");
    }
    this.#sleepUntil(Math.min(nextAtMs, this.#wakeAtMs));
  }

  async #fire(timers: readonly string[]): Promise<void> {
    const { expire, hold } = this.#deps;
    if (!hold.isHolding()) this.#held.clear();
    this.#unknown = 0;
    for (const timer of timers) {
      if (this.#stopped) return;
      const { kind, word, id } = readTimer(timer);
      if (kind === undefined) {
        this.#unknown += 1;
        this.#deps.odd.note("timer", word);
        continue;
      }
      // Asked before each: the process may have been frozen since it read the list.
      if (hold.isHolding() && !(await this.#mayFireHeld(timer))) this.#held.add(timer);
      else await expire.timer(kind, id, hold.awakeSinceMs() + this.#skewMs);
    }
  }

  /**
   * The end of a cool-down takes nothing from anybody, and a job that waits is only tried: that is a claim. The end of its
   * waiting was set by the ledger itself, and nobody who is away can change it. Its fallback step is neither: those who were to
   * take it may only not be back yet, nor is the end of its wait for callers, who may have come back in the gap. Nor is the end of an order's wait for
   * its room, which may have opened in the gap.
   */
  async #mayFireHeld(timer: string): Promise<boolean> {
    const { namespace, ledger } = this.#deps;
    if (this.#held.has(timer)) return false;
    const [kind = "", id = ""] = timer.split("|", 2);
    if (kind === "session") return true;
    if (kind !== "job") return false;
    const found = await ledger.readRecord({ namespace, kind: "job", id });
    if (found.status === "unknown") return true;
    const { state, isHeld, patienceEndsAtMs, waitUntilMs } = jobRecord(found.record);
    const isWaiting = state === "queued" || state === "parked";
    const nowMs = this.#deps.clock.now() + this.#skewMs;
    return isWaiting && (patienceEndsAtMs > nowMs || (waitUntilMs <= nowMs && !isHeld));
  }
}
