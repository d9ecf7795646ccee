/**
 * Owns the two ends of a socket's life: a session is made for it, with a time to register; and when it is gone, what it
 * leaves behind goes to the ledger, behind everything that its worker said before.
 */

import type { IdKind } from "@muster/domain/ids";
import type { FoldingLog } from "@muster/runtime/folding-log";
import type { Log } from "@muster/runtime/log";
import { CLOSE_CODES } from "@muster/wire/close-codes";
import { dispatchFrame } from "./dispatch-message.js";
import { limitsOf } from "./peer-log.js";
import type { GatewayPolicy } from "./policy.js";
import type { Rooms } from "./rooms.js";
import { Session, type WorkerContext } from "./session.js";
import { whoseOf } from "./session-records.js";
import type { AgentSocket, SocketHandlers } from "./transport/transport.js";

export interface SocketsDeps {
  policy: GatewayPolicy;
  newId: (kind: IdKind) => string;
  /** Repeated lines of one peer are folded in it. */
  folding: FoldingLog;
  log: Log;
}

export function acceptSockets(rooms: Rooms, { policy, newId, folding, log: unfolded }: SocketsDeps) {
  return (socket: AgentSocket, context: WorkerContext): SocketHandlers => {
    const { memory, work, metrics } = rooms;
    const log = folding.of(unfolded, limitsOf(`${context.apiKey} ${context.clientIp}`));
    const session = new Session({
      ...{ id: newId("session"), socket, context, memory, work, log },
      onOverworked: (bound) => metrics.overworked(bound),
    });
    rooms.sessions.opened(session);
    rooms.metrics.socketOpened();
    session.log.debug({ clientIp: context.clientIp, protocol: context.protocol }, "socket opened");
    const { registerTimeoutMs } = policy;
    const cancelDeadline = rooms.clock.setTimer(registerTimeoutMs, () => tooLate(session, registerTimeoutMs));
    return {
      message: (frame) => dispatchFrame(session, frame, rooms),
      drained() {},
      closed(code, reason) {
        cancelDeadline();
        if (session.closedAs === undefined && code === CLOSE_CODES.too_slow.code) metrics.unreadCut();
        leave(session, code, rooms);
        session.log.info({ code, reason }, "socket closed");
      },
    };
  };
}

function tooLate(session: Session, timeoutMs: number): void {
  if (session.phase === "connected") session.close("not_registered", `no register within ${timeoutMs} ms`);
  // The worker did its part: the ledger is out of reach.
  if (session.phase === "registering") session.close("too_slow", "cannot be registered now; try again");
}

/** How both SDKs close a socket that they are done with: with 1000, with 1001 on their way out, or without a code. */
const CLEAN_CODES: readonly number[] = [1000, 1001, 1005];

/** By its worker, and not by us. */
function isClean(session: Session, code: number): boolean {
  return session.closedAs === undefined && CLEAN_CODES.includes(code);
}

function leave(
  session: Session,
  code: number,
  { sessions, offers, assignments, records, agents, metrics }: Rooms,
): void {
  const clean = isClean(session, code);
  // Closed by us for what it did, or to dial anew: without a job it did not vanish any more than one that left.
  const isWanted = session.closedAs === "expired" || session.closedAs === "over_limit";
  // One that drains leaves when nothing runs on it any more: what it has not reported, it has finished.
  const goodbye = clean && session.worker.draining;
  session.closed();
  metrics.socketClosed();
  sessions.closed(session);
  const { registration } = session;
  if (registration === undefined) return;
  agents.left(registration);
  offers.withdrawAll(session);
  // Behind its registration, should that still be under way, and the reports that it sent: a job that it said was done
  // is done. And behind its last yes: a start that was not assigned any more is no orphan, it is taken back.
  const after = Promise.all([session.settled(), assignments.settled(session)]);
  records.remove(registration.namespace, session.id, {
    ...{ after, goodbye, clean: clean || isWanted },
    whose: whoseOf(session, registration),
  });
}
