/**
 * Ends what was bound to a life of a room that is over: waiting jobs, running ones, the order itself. Repeatable: a call
 * that broke off is gone on with by the next look at the room.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { OrderRecord } from "@muster/ledger/records";
import type { Hints } from "../hints.js";
import type { OrderPolicy } from "../policy.js";
import { type WakeHeldDeps, wakeHeld } from "../wake-held.js";

export interface EndedRoomsDeps extends WakeHeldDeps {
  ledger: Pick<Ledger, "endRoomOrder" | "wakeNamespace">;
  hints: Hints;
  policy: Pick<OrderPolicy, "stopMs" | "waitMs">;
}

type EndedOrder = Pick<OrderRecord, "id" | "isHeld">;

/** Jobs ended by one script, so that an order with very many does not hold up Redis. */
const JOBS_PER_CALL = 64;

export class EndedRooms {
  readonly #deps: EndedRoomsDeps;

  constructor(deps: EndedRoomsDeps) {
    this.#deps = deps;
  }

  /** True when the order goes on: it was not served, and waits for the room's next life. */
  async end(namespace: string, order: EndedOrder, roomSid: string): Promise<boolean> {
    const { ledger, hints, policy } = this.#deps;
    await wakeHeld(this.#deps, namespace, [order]);
    for (;;) {
      const { stopMs, waitMs } = policy;
      const args = { namespace, order: order.id, roomSid, stopMs, waitMs, limit: JOBS_PER_CALL };
      const reply = await ledger.endRoomOrder(args);
      if (reply.status !== "ended" && reply.status !== "kept") return false;
      for (const pool of reply.serve) hints.wake(namespace, { kind: "serve", pool });
      if (reply.status === "kept") return true;
      for (const stop of Object.values(reply.stops)) hints.stop(namespace, stop);
      if (reply.more === 0) return false;
    }
  }
}
