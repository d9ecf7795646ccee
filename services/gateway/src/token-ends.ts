/**
 * Owns what becomes of a session whose token is over: a socket may live for weeks, and the token that opened it says until when
 * its bearer may be believed. Stock SDKs sign a new one, good for 6 h, each time they dial, so to close is to ask for it.
 * Nobody is closed in the middle of a call for it: first one waits for a moment without a job, then the session is offered
 * nothing more, and only then is it closed as it is, with its jobs, which its worker brings along.
 *
 * Workers that were started together have tokens that end together. Each has its own moment, spread over half of the grace.
 * One timer looks at all sessions: twenty thousand idle ones need none of their own.
 */

import type { LoadSample } from "@muster/ledger/shapes";
import type { Clock } from "@muster/runtime/clock";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { Samples } from "./samples.js";
import type { Session } from "./session.js";
import type { Sessions } from "./sessions.js";

const LOOK_EVERY_MS = 1_000;
/** From when it is offered nothing more until it is closed whatever runs on it. */
const LAST_MS = 15 * 60_000;

export interface TokenEndsDeps {
  sessions: Sessions;
  samples: Samples;
  metrics: GatewayMetrics;
  clock: Clock;
  tokenGraceMs: number;
}

export class TokenEnds {
  readonly #deps: TokenEndsDeps;
  #cancelLook = (): void => {};

  constructor(deps: TokenEndsDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#cancelLook = this.#deps.clock.setTimer(LOOK_EVERY_MS, () => {
      this.#lookAtAll();
      this.start();
    });
  }

  stop(): void {
    this.#cancelLook();
  }

  #lookAtAll(): void {
    const nowMs = this.#deps.clock.now();
    for (const session of this.#deps.sessions.open())
      if (nowMs >= session.context.tokenEndsAtMs && session.phase === "registered")
        this.#look(session, nowMs);
  }

  #look(session: Session, nowMs: number): void {
    const halfMs = this.#deps.tokenGraceMs / 2;
    const sinceTurnMs = nowMs - session.context.tokenEndsAtMs - shareOf(session.id) * halfMs;
    if (sinceTurnMs < 0) return;
    const isIdle = session.held.size === 0 && session.offers.size === 0 && !session.isStarting(nowMs);
    if (isIdle || sinceTurnMs >= halfMs + LAST_MS) this.#close(session);
    else if (sinceTurnMs >= halfMs && !session.isExpired) this.#retire(session);
  }

  #close(session: Session): void {
    this.#deps.metrics.tokenExpired();
    session.close("expired", "the token that opened this socket has expired; dial again with a fresh one");
  }

  /** The ledger offers it nothing more; what runs on it goes on. */
  #retire(session: Session): void {
    session.expire();
    session.log.info({}, "the worker's token has expired; it is offered no more jobs on this socket");
    const { registration, sample = NOTHING_SAID } = session;
    if (registration === undefined) return;
    const told = asToldOf(session, { ...sample, session: session.id });
    session.sample = told;
    this.#deps.samples.add(registration.namespace, told, true);
  }
}

/** No load, which leaves the last one standing. */
const NOTHING_SAID = { status: "full", draining: true, load: -1, job_count: 0 } as const;

/** What the ledger is told of it: whatever its worker says, one whose token is over takes no more jobs. */
export function asToldOf(session: Session, sample: LoadSample): LoadSample {
  return session.isExpired ? { ...sample, status: "full", draining: true } : sample;
}

/** From 0 to below 1, the same each time (FNV-1a). */
function shareOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193) >>> 0;
  return hash / 2 ** 32;
}
