/**
 * What every call that changes one order has in common: the order is looked for over all namespaces of the project, the token
 * must be good for its room, and the answer is the order as it then is.
 */

import { DispatchError } from "@muster/domain/errors";
import { type Caller, requireChangeRoom, requireChangeSome } from "../auth.js";
import type { OrderPart, OrderQuery } from "../room-orders.js";
import type { RestDeps } from "./context.js";
import { wholeOrderView } from "./views.js";

/** @throws DispatchError `permission_denied`, `not_found`, and whatever the change refuses */
export async function changedOrder(
  { orders }: Pick<RestDeps, "orders">,
  caller: Caller,
  id: string,
  change: (query: OrderQuery) => Promise<readonly OrderPart[] | undefined>,
): Promise<ReturnType<typeof wholeOrderView>> {
  requireChangeSome(caller);
  const { project } = caller;
  const room = await orders.roomOf(project, id);
  if (room === undefined) throw notFound(id);
  requireChangeRoom(caller, room);
  const parts = await change({ project, room, order: id });
  if (!isSome(parts)) throw notFound(id);
  return wholeOrderView(parts);
}

export function isSome(parts: readonly OrderPart[] | undefined): parts is [OrderPart, ...OrderPart[]] {
  return parts !== undefined && parts.length > 0;
}

function notFound(id: string): DispatchError {
  return new DispatchError("not_found", `there is no order ${id}`);
}
