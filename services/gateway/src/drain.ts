/**
 * Owns how a gateway lets go of its sockets: one after the other, spread over a time, so that the workers do not all
 * land elsewhere in the same instant. Each is let go completely before it is closed: its open offers go back, and a yes
 * that was given still gets its assignment.
 */

import { pause, within } from "@muster/actor/timing";
import type { Clock } from "@muster/runtime/clock";
import type { Assignments } from "./assignments.js";
import type { Offers } from "./offers.js";
import type { Session } from "./session.js";
import type { Sessions } from "./sessions.js";

export interface DrainDeps {
  sessions: Sessions;
  offers: Offers;
  assignments: Assignments;
  clock: Clock;
}

/** A yes that the ledger has not taken by then has no ledger to take it. */
const SETTLE_LIMIT_MS = 1_000;

/** Resolves when every socket has been told to close. Until its turn a session is served as always. */
export async function drainSessions(drainMs: number, deps: DrainDeps): Promise<void> {
  const { sessions, clock } = deps;
  const all = sessions.all();
  const startedAtMs = clock.now();
  const letting: Promise<void>[] = [];
  for (const [index, session] of all.entries()) {
    const waitMs = startedAtMs + Math.round((drainMs * index) / all.length) - clock.now();
    if (waitMs > 0) await pause(clock, waitMs);
    letting.push(letGo(session, deps));
  }
  await Promise.all(letting);
}

async function letGo(session: Session, { offers, assignments, clock }: DrainDeps): Promise<void> {
  if (session.phase === "registered") {
    session.drain();
    offers.withdrawAll(session);
    await within(clock, SETTLE_LIMIT_MS, assignments.settled(session));
  }
  session.close("draining", "this gateway is shutting down; connect again");
}
