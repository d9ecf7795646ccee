/**
 * Puts a work order on hold, and releases it, in every namespace where it lives. Repeatable. Died between two calls: on hold
 * is on hold from the first call in a namespace on, and what was not reached is held when it is tried; what was not released
 * is by the repeat, or by its own timer within the hour.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { Hints } from "./hints.js";
import type { KnownListeners } from "./known-listeners.js";
import { inLiveParts } from "./live-parts.js";
import type { OrderPart, OrderQuery, RoomOrders } from "./room-orders.js";
import { type UntilIndexedDeps, untilIndexed } from "./until-indexed.js";

export interface HoldOrderDeps extends UntilIndexedDeps {
  ledger: Pick<Ledger, "holdOrder" | "releaseOrder">;
  orders: Pick<RoomOrders, "find">;
  listeners: Pick<KnownListeners, "listenMs">;
  hints: Pick<Hints, "wake">;
}

/** Jobs in one script, so that an order with very many does not hold up Redis. */
const JOBS_PER_CALL = 256;

export class HoldOrder {
  readonly #deps: HoldOrderDeps;

  constructor(deps: HoldOrderDeps) {
    this.#deps = deps;
  }

  /**
   * The order as it then is; undefined when the room has none of that id.
   * @throws DispatchError `failed_precondition` when it is over
   */
  async hold(query: OrderQuery): Promise<OrderPart[] | undefined> {
    return inLiveParts(this.#deps.orders, query, (namespace) => this.#holdIn(namespace, query.order));
  }

  /** The same, of what was on hold. @throws as hold, and `unavailable` */
  async release(query: OrderQuery): Promise<OrderPart[] | undefined> {
    return inLiveParts(this.#deps.orders, query, (namespace) => this.#releaseIn(namespace, query.order));
  }

  async #holdIn(namespace: string, order: string): Promise<boolean> {
    const { ledger } = this.#deps;
    let cursor = "0";
    do {
      const reply = await ledger.holdOrder({ namespace, order, cursor, limit: JOBS_PER_CALL });
      if (reply.status !== "held") return false;
      cursor = reply.next;
    } while (cursor !== "0");
    return true;
  }

  async #releaseIn(namespace: string, order: string): Promise<boolean> {
    const { ledger, listeners, hints } = this.#deps;
    const listenMs = await listeners.listenMs(namespace);
    for (let more = true; more; ) {
      const reply = await untilIndexed(this.#deps, namespace, (rests) =>
        ledger.releaseOrder({ namespace, order, limit: JOBS_PER_CALL, listenMs, rests }),
      );
      if (reply.status !== "released") return false;
      for (const pool of reply.serve) hints.wake(namespace, { kind: "serve", pool });
      more = reply.more === 1;
    }
    return true;
  }
}
