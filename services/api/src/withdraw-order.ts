/**
 * Takes a work order back in every namespace where it lives. Repeatable: each call goes on where the last one broke off
 * and answers the same. Died between two calls: what is deleted stays so, stops are in the ledger and told again by the
 * gateways' own assertions, and the rest waits for the repeat.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { Hints } from "./hints.js";
import type { ApiMetrics } from "./metrics.js";
import type { OrderPolicy } from "./policy.js";
import type { OrderPart, OrderQuery, RoomOrders } from "./room-orders.js";
import { type WakeHeldDeps, wakeHeld } from "./wake-held.js";

export interface WithdrawOrderDeps extends WakeHeldDeps {
  ledger: Pick<Ledger, "deleteOrder" | "wakeNamespace">;
  orders: RoomOrders;
  hints: Hints;
  metrics: Pick<ApiMetrics, "jobsEnded">;
  policy: OrderPolicy;
}

/** Jobs ended by one script, so that an order with very many does not hold up Redis. */
const JOBS_PER_CALL = 64;

export class WithdrawOrder {
  readonly #deps: WithdrawOrderDeps;

  constructor(deps: WithdrawOrderDeps) {
    this.#deps = deps;
  }

  /** The order as it then is; undefined when the room has none of that id. */
  async withdraw(query: OrderQuery): Promise<OrderPart[] | undefined> {
    const { orders } = this.#deps;
    const [parts] = await orders.find(query);
    if (parts === undefined) return undefined;
    await Promise.all(parts.map((part) => this.#withdrawIn(part, query.order)));
    const [after] = await orders.find(query);
    return after;
  }

  async #withdrawIn({ namespace, jobs }: OrderPart, order: string): Promise<void> {
    const { ledger, hints, metrics, policy } = this.#deps;
    await wakeHeld(this.#deps, namespace, jobs);
    for (;;) {
      const reply = await ledger.deleteOrder({
        namespace,
        order,
        stopMs: policy.stopMs,
        removeMs: policy.removeMs,
        limit: JOBS_PER_CALL,
      });
      if (reply.status === "unknown") return;
      metrics.jobsEnded("canceled", reply.ended);
      for (const stop of Object.values(reply.stops)) hints.stop(namespace, stop);
      for (const pool of reply.serve) hints.wake(namespace, { kind: "serve", pool });
      if (reply.more === 0) return;
    }
  }
}
