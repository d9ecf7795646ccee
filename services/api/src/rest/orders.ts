/**
 * GET /v1/orders and /v1/orders/{id}: work orders, live or kept after their end, as they stand in one namespace. Reads
 * only; change-orders.ts makes them.
 */

import { createRoute } from "@hono/zod-openapi";
import { fieldOf } from "@muster/domain/namespace";
import { jobRecord, type OrderRecord, orderRecord } from "@muster/ledger/records";
import { requireReadAll, requireReadRoom, requireReadSome } from "../auth.js";
import { namespaceOf, newRoutes, type RestDeps, readOne, readPage } from "./context.js";

import { orderWarnings } from "./order-warnings.js";
import { type List, nextCursor, rankOf } from "./page.js";

import { problems } from "./problem.js";
import { IdParams, NamespaceQuery, OrderDetail, OrderPage, OrdersQuery } from "./schemas.js";
import { orderJobView, orderView } from "./views.js";

const listRoute = createRoute({
  method: "get",
  path: "/v1/orders",
  operationId: "listOrders",
  summary: "Work orders, oldest first: those that are live, or those that ended and are still kept.",
  request: { query: OrdersQuery },
  responses: {
    200: { description: "A page, without metadata.", content: { "application/json": { schema: OrderPage } } },
    ...problems("invalid_argument"),
  },
});

const readRoute = createRoute({
  method: "get",
  path: "/v1/orders/{id}",
  operationId: "readOrder",
  summary: "One work order, with its metadata and its jobs.",
  request: { params: IdParams, query: NamespaceQuery },
  responses: {
    200: { description: "The order.", content: { "application/json": { schema: OrderDetail } } },
    ...problems("invalid_argument", "not_found"),
  },
});

/** A room has a handful; as LiveKit's own list. */
const MAX_OF_ROOM = 1_000;
/** Jobs in the answer for one order; an open one can have had many. */
const MAX_JOBS = 100;

export function orderRoutes(deps: RestDeps) {
  async function pageOfRoom(
    { namespace, room, isLive }: { namespace: string; room: string; isLive: boolean },
    list: List,
    limit: number,
    cursor: string | undefined,
  ) {
    const offset = rankOf(cursor, list);
    const { orders } = await deps.ledger.listRoomOrders({ namespace, room, only: "", limit: MAX_OF_ROOM });
    // Lists that Redis wrote empty come as {}.
    const found = Object.values(orders)
      .map(({ order }) => orderRecord(order))
      .filter(({ state }) => (state === "live") === isLive);
    return {
      orders: found.slice(offset, offset + limit).map((order) => orderView(fieldOf(namespace), order)),
      next_cursor: nextCursor(list, offset + limit, found.length),
      total: found.length,
    };
  }

  /** Those that it has in this namespace. */
  async function jobsOf(namespace: string, { id, room }: OrderRecord) {
    const one = { namespace, room, only: id, limit: MAX_JOBS + 1 };
    const { orders } = await deps.ledger.listRoomOrders(one);
    const jobs = Object.values(orders).flatMap((listed) => Object.values(listed.jobs).map(jobRecord));
    return {
      jobs: jobs.slice(0, MAX_JOBS).map((job) => orderJobView(fieldOf(namespace), job)),
      more_jobs: jobs.length > MAX_JOBS,
    };
  }

  return newRoutes()
    .openapi(listRoute, async (c) => {
      const caller = c.get("caller");
      const { state, limit, cursor, room, ...query } = c.req.valid("query");
      if (room === undefined) requireReadAll(caller);
      else requireReadRoom(caller, room);
      const list: List = state === "live" ? "orders" : "ended-orders";
      if (room !== undefined) {
        const namespace = namespaceOf(caller, query);
        return c.json(
          await pageOfRoom({ namespace, room, isLive: state === "live" }, list, limit, cursor),
          200,
        );
      }
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
      const namespace = namespaceOf(caller, query);
      const order = orderRecord(await readOne(deps, namespace, "order", c.req.valid("param").id));
      requireReadRoom(caller, order.room);
      const { metadata, attributes } = order;
      const [jobs, warnings] = await Promise.all([
        jobsOf(namespace, order),
        orderWarnings(deps.ledger, [{ namespace, order }]),
      ]);
      return c.json({ ...orderView(query.namespace, order), metadata, attributes, warnings, ...jobs }, 200);
    });
}
