/**
 * Owns telling a worker to stop a job. Told again with every renewal of the lease until the worker has confirmed it or
 * its time is over, which the ledger knows; so a stop for a socket that is not here is nobody's loss.
 */

import type { GatewayMetrics } from "./gateway-metrics.js";
import type { Sessions } from "./sessions.js";

export interface StopsDeps {
  sessions: Sessions;
  metrics: GatewayMetrics;
}

export interface Stops {
  deliver(session: string, wire: string): void;
}

export function createStops({ sessions, metrics }: StopsDeps): Stops {
  return {
    deliver(id, wire) {
      const session = sessions.find(id);
      if (session === undefined || !session.isServed) {
        metrics.messageUnroutable("stop");
        return;
      }
      if (session.send({ case: "termination", value: { jobId: wire } }) === "dropped") return;
      session.held.forget(wire);
      metrics.stopSent();
      session.log.debug({ wire }, "worker told to stop a job");
    },
  };
}
