/**
 * Owns the two ends of a socket's life: a session is made for it, with a time to register; and when it is gone, what it
 * leaves behind goes to the ledger, behind everything that its worker said before.
 */

import type { IdKind } from "@muster/domain/ids";
import type { Log } from "@muster/runtime/log";
import { dispatchFrame } from "./dispatch-message.js";
import type { GatewayPolicy } from "./policy.js";
import type { Rooms } from "./rooms.js";
import { Session, type WorkerContext } from "./session.js";
import type { AgentSocket, SocketHandlers } from "./transport/transport.js";

export interface SocketsDeps {
  policy: GatewayPolicy;
  newId: (kind: IdKind) => string;
  log: Log;
}

export function acceptSockets(rooms: Rooms, { policy, newId, log }: SocketsDeps) {
  return (socket: AgentSocket, context: WorkerContext): SocketHandlers => {
    const session = new Session({ id: newId("session"), socket, context, log });
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
        leave(session, rooms);
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

function leave(session: Session, { sessions, offers, records, metrics }: Rooms): void {
  session.closed();
  metrics.socketClosed();
  sessions.closed(session);
  const { registration } = session;
  if (registration === undefined) return;
  offers.withdrawAll(session);
  // Behind its registration, should that still be under way, and the reports that it sent: a job that it said was done
  // is done.
  records.remove(registration.namespace, session.id, session.settled());
}
