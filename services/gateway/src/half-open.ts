/**
 * Owns the end of half-open sockets: a worker that came back on a new socket took its jobs along, so the one it had
 * before leads nowhere. Its gateway closes it with 4410. Only a hint: one that is lost leaves a socket that its
 * keep-alive cuts, and whose word on those jobs the ledger refuses.
 */

import type { Outbox } from "@muster/actor/outbox";
import type { CloseMessage } from "@muster/domain/node-message";
import type { Log } from "@muster/runtime/log";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { Sessions } from "./sessions.js";

export interface HalfOpenDeps {
  gateway: string;
  sessions: Sessions;
  outbox: Outbox;
  metrics: GatewayMetrics;
  log: Log;
}

export interface HalfOpen {
  /** Sees to it that each is closed, here or by the gateway that has it. */
  closeAll(namespace: string, closed: readonly { session: string; gateway: string }[]): void;
  /** One of this gateway's own. */
  close(session: string): void;
}

export function createHalfOpen({ gateway, sessions, outbox, metrics, log }: HalfOpenDeps): HalfOpen {
  async function tell(to: string, message: CloseMessage): Promise<void> {
    try {
      if ((await outbox.send(to, message)) === "gone") metrics.hintDropped("no_gateway");
    } catch (error) {
      metrics.hintDropped("unavailable");
      log.warn({ session: message.session, err: error }, "a gateway could not be told of a half-open socket");
    }
  }

  function close(id: string): void {
    const session = sessions.find(id);
    if (session === undefined) {
      metrics.messageUnroutable("close");
      return;
    }
    metrics.halfOpenClosed();
    session.close("replaced", "session replaced");
  }

  return {
    close,
    closeAll(namespace, closed) {
      for (const { session, gateway: holder } of closed) {
        if (holder === gateway) close(session);
        else void tell(holder, { kind: "close", namespace, session });
      }
    },
  };
}
