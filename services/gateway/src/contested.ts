/**
 * Owns when a worker's word on a job is tried again that, as far as the ledger can tell, another worker's socket holds. A worker
 * that comes back from another address is known to be the same only once its old socket is gone, which takes as long as its
 * silence does (`silenceMs`). Bounded for each session; a session that is gone is forgotten.
 */

import type { Clock } from "@muster/runtime/clock";
import type { Session } from "./session.js";

/** A minute in all: longer than an old socket's silence is borne. */
const WAITS_MS = [2_000, 4_000, 8_000, 16_000, 16_000, 16_000];
/** Of one session that wait, at most. */
const MOST = 64;

export class Contested {
  readonly #clock: Clock;
  readonly #waiting = new WeakMap<Session, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `tries`: how often it was said so far, beyond the first time. False when it is not to be said again. */
  again(session: Session, tries: number, say: () => void): boolean {
    const waitMs = WAITS_MS[tries];
    const waiting = this.#waiting.get(session) ?? 0;
    if (waitMs === undefined || waiting >= MOST || !session.isServed) return false;
    this.#waiting.set(session, waiting + 1);
    this.#clock.setTimer(waitMs, () => {
      this.#waiting.set(session, (this.#waiting.get(session) ?? 1) - 1);
      if (session.isServed) say();
    });
    return true;
  }
}
