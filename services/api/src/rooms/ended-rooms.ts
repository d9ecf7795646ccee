/**
 * Ends what was bound to a life of a room that is over: waiting jobs, running ones, the order itself. Repeatable: a call
 * that broke off is gone on with by the next look at the room.
 */

import type { EndedAs } from "@muster/domain/job";
import type { Ledger } from "@muster/ledger/ledger";
import type { Hints } from "../hints.js";
import type { KnownListeners } from "../known-listeners.js";
import type { ApiMetrics } from "../metrics.js";
import type { OrderPolicy } from "../policy.js";
import { type UntilIndexedDeps, untilIndexed } from "../until-indexed.js";

export interface EndedRoomsDeps extends UntilIndexedDeps {
  ledger: Pick<Ledger, "endRoomOrder">;
  listeners: Pick<KnownListeners, "listenMs">;
  hints: Hints;
  metrics: Pick<ApiMetrics, "jobsEnded">;
  policy: Pick<OrderPolicy, "stopMs" | "waitMs">;
}

/** Jobs ended by one script, so that an order with very many does not hold up Redis. */
const JOBS_PER_CALL = 64;

export class EndedRooms {
  readonly #deps: EndedRoomsDeps;

  constructor(deps: EndedRoomsDeps) {
    this.#deps = deps;
  }

  /**
   * True when the order goes on: it was not served, nobody waited for it there, and it waits for the room's next life.
   * `seenAt`: when a caller was last known to be in that life; 0 = nobody ever was. `told`: its jobs know of all agents that
   * were seen there, so that one that nobody saw was not there.
   */
  async end(
    namespace: string,
    order: string,
    roomSid: string,
    { seenAt, told }: { seenAt: number; told: boolean },
  ): Promise<boolean> {
    const { ledger, listeners, hints, metrics, policy } = this.#deps;
    const { stopMs, waitMs } = policy;
    const listenMs = await listeners.listenMs(namespace);
    const args = { namespace, order, roomSid, seenAt, told, stopMs, waitMs, listenMs, limit: JOBS_PER_CALL };
    for (;;) {
      const reply = await untilIndexed(this.#deps, namespace, (rests) =>
        ledger.endRoomOrder({ ...args, rests }),
      );
      if (reply.status !== "ended" && reply.status !== "kept") return false;
      for (const pool of reply.serve) hints.wake(namespace, { kind: "serve", pool });
      if (reply.status === "kept") return true;
      for (const outcome of reply.outcomes) metrics.jobsEnded(outcome as EndedAs);
      for (const stop of Object.values(reply.stops)) hints.stop(namespace, stop);
      if (reply.more === 0) return false;
    }
  }
}
