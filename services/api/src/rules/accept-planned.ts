/**
 * Makes an order that a definition asks for. Owns that there is one of it in each life of a room: its id is derived from
 * what asks for it and from the life, so that whoever comes to it, and however often, means the same order.
 */

import type { AcceptedOrder, AcceptOrder } from "../accept-order.js";
import { definedOrderId } from "../order-ids.js";
import { checkContent, type NewOrder } from "../order-request.js";
import { termsOf } from "../rest/new-order.js";
import type { PlannedOrder } from "./plan-orders.js";

export interface RoomLife {
  project: string;
  room: string;
  sid: string;
}

/** @throws as AcceptOrder.accept, and DispatchError `invalid_argument` for a room that no order can be for */
export async function acceptPlanned(
  acceptOrder: Pick<AcceptOrder, "accept">,
  { from, template }: PlannedOrder,
  { project, room, sid }: RoomLife,
): Promise<AcceptedOrder> {
  const repeat = { by: "id", value: definedOrderId(project, from, sid) } as const;
  const order: NewOrder = { ...termsOf(template), project, room, repeat, roomSid: sid };
  checkContent(order);
  return acceptOrder.accept(order);
}
