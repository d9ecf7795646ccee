/**
 * GET /v1/orders and /v1/orders/{id}: work orders, live or kept after their end, as they stand in one namespace. Reads
 * only; change-orders.ts makes them.
 */

import { createRoute } from "@hono/zod-openapi";
import { orderRecord } from "@muster/ledger/records";
import { requireReadAll, requireReadRoom, requireReadSome } from "../auth.js";
import { namespaceOf, newRoutes, type RestDeps, readOne, readPage } from "./context.js";
import { orderWarnings } from "./order-warnings.js";
import type { List } from "./page.js";
import { problems } from "./problem.js";
import { IdParams, NamespaceQuery, OrderDetail, OrderPage, StateQuery } from "./schemas.js";
import { orderView } from "./views.js";

const listRoute = createRoute({
  method: "get",
  path: "/v1/orders",
  operationId: "listOrders",
  summary: "Work orders, oldest first: those that are live, or those that ended and are still kept.",
  request: { query: StateQuery },
  responses: {
    200: { description: "A page, without metadata.", content: { "application/json": { schema: OrderPage } } },
    ...problems("invalid_argument"),
  },
});

const readRoute = createRoute({
  method: "get",
  path: "/v1/orders/{id}",
  operationId: "readOrder",
  summary: "One work order, with its metadata.",
  request: { params: IdParams, query: NamespaceQuery },
  responses: {
    200: { description: "The order.", content: { "application/json": { schema: OrderDetail } } },
    ...problems("invalid_argument", "not_found"),
  },
});

export function orderRoutes(deps: RestDeps) {
  return newRoutes()
    .openapi(listRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const { state, limit, cursor, ...query } = c.req.valid("query");
      const list: List = state === "live" ? "orders" : "ended-orders";
      const request = { namespace: namespaceOf(caller, query), list, kind: "order", limit, cursor } as const;
      const { items, ...page } = await readPage(deps, request, (field, hash) =>
        orderView(field, orderRecord(hash)),
      );
      return c.json({ orders: items, ...page }, 200);
    })
    .openapi(readRoute, async (c) => {
      const caller = c.get("caller");
      requireReadSome(caller);
      const query = c.req.valid("query");
      const hash = await readOne(deps, namespaceOf(caller, query), "order", c.req.valid("param").id);
      const order = orderRecord(hash);
      requireReadRoom(caller, order.room);
      const { metadata, attributes } = order;
      const warnings = await orderWarnings(deps.ledger, [{ namespace: namespaceOf(caller, query), order }]);
      return c.json({ ...orderView(query.namespace, order), metadata, attributes, warnings }, 200);
    });
}
