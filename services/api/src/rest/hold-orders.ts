/**
 * POST /v1/orders/{id}/hold and /release: none of the order's jobs is offered to anybody, until they are let go. The steps
 * are in hold-order.ts.
 */

import { createRoute } from "@hono/zod-openapi";
import { newRoutes, type RestDeps } from "./context.js";
import { changedOrder } from "./one-order.js";
import { problems } from "./problem.js";
import { IdParams, WholeOrder } from "./schemas.js";

const answers = {
  200: { description: "The order as it is now.", content: { "application/json": { schema: WholeOrder } } },
  ...problems("invalid_argument", "not_found", "failed_precondition"),
};

const holdRoute = createRoute({
  method: "post",
  path: "/v1/orders/{id}/hold",
  operationId: "holdOrder",
  summary: "Puts a work order on hold. May be repeated.",
  description:
    "No job of it is offered to anybody: those that wait are held, and so is what comes. What was offered or started goes " +
    "on. It still ends with its room, or by deletion.",
  request: { params: IdParams },
  responses: answers,
});

const releaseRoute = createRoute({
  method: "post",
  path: "/v1/orders/{id}/release",
  operationId: "releaseOrder",
  summary: "Lets the jobs of an order go that is on hold. May be repeated.",
  description:
    "They stand in line by their priority and age. How long each may wait, and its fallback, counts from now, and so does the " +
    "order's own wait for its room.",
  request: { params: IdParams },
  responses: answers,
});

export function holdOrderRoutes({ holdOrder, orders }: RestDeps) {
  return newRoutes()
    .openapi(holdRoute, async (c) => {
      const { id } = c.req.valid("param");
      const order = await changedOrder({ orders }, c.get("caller"), id, (query) => holdOrder.hold(query));
      return c.json(order, 200);
    })
    .openapi(releaseRoute, async (c) => {
      const { id } = c.req.valid("param");
      const order = await changedOrder({ orders }, c.get("caller"), id, (query) => holdOrder.release(query));
      return c.json(order, 200);
    });
}
