/**
 * The three calls of livekit.AgentDispatchService, from decoded request to message. Owns what each needs of the caller
 * and what it answers; HTTP and encodings are its neighbour's, the steps are in accept-order.ts and withdraw-order.ts.
 */

import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";
import {
  decodeCreateDispatch,
  decodeDeleteDispatch,
  decodeListDispatch,
  type Encoding,
  encodeDispatch,
  encodeDispatchList,
} from "@muster/wire/dispatch-codec";
import type { AcceptOrder } from "../accept-order.js";
import { type Caller, requireDispatchGrant } from "../auth.js";
import { createdMessage, dispatchMessage } from "../dispatch-message.js";
import type { ApiMetrics } from "../metrics.js";
import { checkDispatchId, checkRoom, type NewOrder, orderOf } from "../order-request.js";
import type { OrderPart, RoomOrders } from "../room-orders.js";
import type { WithdrawOrder } from "../withdraw-order.js";

export interface DispatchCallsDeps {
  acceptOrder: AcceptOrder;
  orders: RoomOrders;
  withdrawOrder: WithdrawOrder;
  metrics: Pick<ApiMetrics, "orderAccepted" | "orderMerged" | "orderRefused">;
  clock: Clock;
}

export interface Call {
  caller: Caller;
  encoding: Encoding;
  body: Uint8Array;
  /** What SDKs send with a call and again with its retries; undefined when the caller sent none. */
  requestId: string | undefined;
}

/** By the method's name in the path. Each rejects with a DispatchError for what the caller did wrong. */
export type DispatchCalls = ReadonlyMap<string, (call: Call) => Promise<Uint8Array>>;

export function dispatchCalls(deps: DispatchCallsDeps): DispatchCalls {
  const { acceptOrder, orders, withdrawOrder, metrics, clock } = deps;

  async function createDispatch(call: Call): Promise<Uint8Array> {
    const { caller, encoding } = call;
    const order = orderIn(call);
    const accepted = await acceptOrder.accept(order);
    if (accepted.status === "created") {
      metrics.orderAccepted("twirp");
      return encodeDispatch(encoding, createdMessage(order, accepted, clock.now()));
    }
    if (accepted.status === "merged") metrics.orderMerged("twirp");
    const [parts] = await orders.find({ project: caller.project, room: order.room, order: accepted.order });
    if (!isSome(parts))
      throw new DispatchError("unavailable", "the dispatch was forgotten meanwhile; ask anew");
    return encodeDispatch(encoding, dispatchMessage(parts));
  }

  /** @throws DispatchError for whatever keeps the call from being an order */
  function orderIn({ caller, encoding, body, requestId }: Call): NewOrder {
    try {
      const request = decodeCreateDispatch(encoding, body);
      requireDispatchGrant(caller, request.room);
      return orderOf(caller.project, request, requestId);
    } catch (error) {
      metrics.orderRefused("twirp");
      throw error;
    }
  }

  async function deleteDispatch({ caller, encoding, body }: Call): Promise<Uint8Array> {
    const { room, dispatchId } = decodeDeleteDispatch(encoding, body);
    requireDispatchGrant(caller, room);
    checkRoom(room);
    checkDispatchId(dispatchId);
    const parts = await withdrawOrder.withdraw({ project: caller.project, room, order: dispatchId });
    if (!isSome(parts)) throw new DispatchError("not_found", "dispatch ID not found");
    return encodeDispatch(encoding, dispatchMessage(parts));
  }

  async function listDispatch({ caller, encoding, body }: Call): Promise<Uint8Array> {
    const { room, dispatchId } = decodeListDispatch(encoding, body);
    requireDispatchGrant(caller, room);
    checkRoom(room);
    if (dispatchId !== "") checkDispatchId(dispatchId);
    const found = await orders.find({ project: caller.project, room, order: dispatchId });
    // livekit-server's list has what is there, not what was deleted; what ended by itself is there while it is kept.
    const listed = found
      .map((parts) => parts.filter(({ order }) => order.state !== "deleted"))
      .filter(isSome);
    return encodeDispatchList(encoding, listed.map(dispatchMessage));
  }

  return new Map([
    ["CreateDispatch", createDispatch],
    ["DeleteDispatch", deleteDispatch],
    ["ListDispatch", listDispatch],
  ]);
}

function isSome(parts: readonly OrderPart[] | undefined): parts is [OrderPart, ...OrderPart[]] {
  return parts !== undefined && parts.length > 0;
}
