/**
 * Changes the terms of a work order in every namespace where it lives: for its jobs that wait and for all later ones; what a
 * worker has started is left alone. Repeatable. Died between two calls: the order has its new terms where it was reached, and
 * jobs that were not reached have them after the repeat.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { OrderChanges } from "@muster/ledger/shapes";
import { inLiveParts } from "./live-parts.js";
import type { OrderPart, OrderQuery, RoomOrders } from "./room-orders.js";
import { type UntilIndexedDeps, untilIndexed } from "./until-indexed.js";

export interface ChangeOrderDeps extends UntilIndexedDeps {
  ledger: Pick<Ledger, "changeOrder">;
  orders: Pick<RoomOrders, "find">;
}

/** Jobs in one script, so that an order with very many does not hold up Redis. */
const JOBS_PER_CALL = 256;

export class ChangeOrder {
  readonly #deps: ChangeOrderDeps;

  constructor(deps: ChangeOrderDeps) {
    this.#deps = deps;
  }

  /**
   * The order as it then is; undefined when the room has none of that id.
   * @throws DispatchError `failed_precondition` when it is over, `unavailable`
   */
  async change(query: OrderQuery, changes: OrderChanges): Promise<OrderPart[] | undefined> {
    return inLiveParts(this.#deps.orders, query, (namespace) =>
      this.#changeIn(namespace, query.order, changes),
    );
  }

  async #changeIn(namespace: string, order: string, changes: OrderChanges): Promise<boolean> {
    const { ledger } = this.#deps;
    let at = { cursor: "0", before: "" };
    do {
      const args = { namespace, order, changes, ...at, limit: JOBS_PER_CALL };
      const reply = await untilIndexed(this.#deps, namespace, (rests) =>
        ledger.changeOrder({ ...args, rests }),
      );
      if (reply.status !== "changed") return false;
      at = { cursor: reply.next, before: reply.before };
    } while (at.cursor !== "0");
    return true;
  }
}
