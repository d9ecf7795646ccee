/**
 * POST /v1/orders and DELETE /v1/orders/{id}: work orders are made and taken back, over all namespaces in which they have
 * a part. Owns what each needs of the caller and what it answers; the steps are in accept-order.ts and withdraw-order.ts.
 */

import { createRoute } from "@hono/zod-openapi";
import { DispatchError } from "@muster/domain/errors";
import { createMiddleware } from "hono/factory";
import { requireChangeRoom, requireChangeSome } from "../auth.js";
import type { OrderQuery } from "../room-orders.js";
import { newRoutes, type RestDeps, type RestEnv } from "./context.js";
import { NewOrderBody, newOrderOf, RepeatHeaders } from "./new-order.js";
import { changedOrder, isSome } from "./one-order.js";
import { orderWarnings } from "./order-warnings.js";
import { problems } from "./problem.js";
import { IdParams, MadeOrder, WholeOrder } from "./schemas.js";
import { wholeOrderView } from "./views.js";

export const ORDERS_PATH = "/v1/orders";

const wholeOrder = { "application/json": { schema: WholeOrder } };

const madeOrder = { "application/json": { schema: MadeOrder } };

const createOrderRoute = createRoute({
  method: "post",
  path: ORDERS_PATH,
  operationId: "createOrder",
  summary: "Makes a work order. May be repeated with an idempotency key.",
  request: {
    headers: RepeatHeaders,
    body: { required: true, content: { "application/json": { schema: NewOrderBody } } },
  },
  responses: {
    201: { description: "The order.", content: madeOrder },
    200: {
      description:
        "The order, made by an earlier call with this key; or, with `merged`, the live one that the agent has in the room.",
      content: madeOrder,
    },
    ...problems("invalid_argument", "already_exists", "too_large"),
  },
});

const deleteOrderRoute = createRoute({
  method: "delete",
  path: "/v1/orders/{id}",
  operationId: "deleteOrder",
  summary: "Takes a work order back: its jobs end, and their workers are told. May be repeated.",
  request: { params: IdParams },
  responses: {
    200: { description: "The order as it is now.", content: wholeOrder },
    ...problems("invalid_argument", "not_found"),
  },
});

/** For POST on ORDERS_PATH, before whatever may refuse one. */
export function countRefusedOrders({ metrics }: Pick<RestDeps, "metrics">) {
  return createMiddleware<RestEnv>(async (c, next) => {
    await next();
    if (c.res.status >= 400 && c.res.status < 500) metrics.orderRefused("rest");
  });
}

export function changeOrderRoutes(deps: RestDeps) {
  const { acceptOrder, withdrawOrder, orders, metrics } = deps;
  return newRoutes()
    .openapi(createOrderRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeSome(caller);
      const order = newOrderOf(caller, c.req.valid("json"), c.req.valid("header"));
      requireChangeRoom(caller, order.room);
      const accepted = await acceptOrder.accept(order);
      const isNew = accepted.status === "created";
      const isMerged = accepted.status === "merged";
      if (isNew) metrics.orderAccepted("rest");
      if (isMerged) metrics.orderMerged("rest");
      const [parts] = await orders.find({ project: caller.project, room: order.room, order: accepted.order });
      if (!isSome(parts))
        throw new DispatchError("unavailable", "the order was forgotten meanwhile; ask anew");
      const answer = { ...wholeOrderView(parts), warnings: await orderWarnings(deps, parts) };
      return isNew ? c.json(answer, 201) : c.json({ ...answer, ...(isMerged && { merged: true }) }, 200);
    })
    .openapi(deleteOrderRoute, async (c) => {
      const { id } = c.req.valid("param");
      const withdrawn = (query: OrderQuery) => withdrawOrder.withdraw(query);
      return c.json(await changedOrder({ orders }, c.get("caller"), id, withdrawn), 200);
    });
}
