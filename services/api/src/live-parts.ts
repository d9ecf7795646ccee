/**
 * Changes an order in every namespace where it lives. Owns what is answered when it is over, or was never there; the change
 * itself is its caller's, one script a namespace, and repeatable: whoever died between two namespaces is repeated.
 */

import { DispatchError } from "@muster/domain/errors";
import type { OrderPart, OrderQuery, RoomOrders } from "./room-orders.js";

/**
 * `change` answers whether the order still lived there. The order as it then is; undefined when the room has none of that id.
 * @throws DispatchError `failed_precondition` when it is over everywhere
 */
export async function inLiveParts(
  orders: Pick<RoomOrders, "find">,
  query: OrderQuery,
  change: (namespace: string) => Promise<boolean>,
): Promise<OrderPart[] | undefined> {
  const [parts] = await orders.find(query);
  if (parts === undefined) return undefined;
  const live = parts.filter(({ order }) => order.state === "live");
  const changed = await Promise.all(live.map(({ namespace }) => change(namespace)));
  if (!changed.includes(true)) {
    throw new DispatchError("failed_precondition", `order ${query.order} is over; make another one`);
  }
  const [after] = await orders.find(query);
  return after;
}
