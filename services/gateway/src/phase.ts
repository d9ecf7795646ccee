/**
 * The life of a session. Prose first; transition() makes every move and refuses the others.
 *
 * connected    the socket is open and authenticated; only register, ping and (ignored) update_worker are in place.
 *              Left by a good register, or closed when the time to register is over.
 * registering  a register was accepted at the door and is being written to the ledger; what the worker sends meanwhile
 *              waits in line behind it. Left when the ledger has the session, or closed when that takes too long.
 * registered   in the ledger, and the worker knows its id: offers, answers, reports, stops.
 * draining     this gateway is letting go of the socket: no new offer and no new registration reach it; reports and
 *              answers already on their way are still taken. Left by closing.
 * closed       final. Nothing is sent, and what is still under way for it is cleaned up behind it.
 */

import { invariant } from "@muster/domain/assert";

export const PHASES = ["connected", "registering", "registered", "draining", "closed"] as const;
export type Phase = (typeof PHASES)[number];

const NEXT: Record<Phase, readonly Phase[]> = {
  connected: ["registering", "closed"],
  registering: ["registered", "closed"],
  registered: ["draining", "closed"],
  draining: ["closed"],
  closed: [],
};

export interface PhaseChange {
  from: Phase;
  to: Phase;
  /** For the log: why it moved. */
  reason: string;
}

/** The move from one phase to the next. Throws InvariantError on one that the table does not have. */
export function transition(from: Phase, to: Phase, reason: string): PhaseChange {
  invariant(NEXT[from].includes(to), "a session made a move that its phases do not have");
  return { from, to, reason };
}
