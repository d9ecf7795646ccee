/**
 * PATCH /v1/orders/{id}: what of an order's terms can be changed while it lives, and the way to the ledger's words. A field
 * that cannot is refused by name. The steps are in change-order.ts.
 */

import { createRoute, z } from "@hono/zod-openapi";
import type { OrderChanges } from "@muster/ledger/shapes";
import { checkTexts } from "../order-request.js";
import { newRoutes, type RestDeps } from "./context.js";
import { NewOrderBody } from "./new-order.js";
import { changedOrder } from "./one-order.js";
import { problems } from "./problem.js";
import { IdParams, WholeOrder } from "./schemas.js";

const { priority, deadline_ms, metadata, attributes, max_attempts, restart_policy } = NewOrderBody.shape;
/** As of a new order, but that nothing has a default: what is left out stays as it is. */
const changeable = {
  priority: priority.unwrap().optional(),
  deadline_ms,
  metadata: metadata.unwrap().optional(),
  attributes: attributes.unwrap().optional(),
  max_attempts,
  restart_policy: restart_policy.unwrap().optional(),
};

const OrderChangesBody = z
  .preprocess((value, context) => {
    const given = typeof value === "object" && value !== null ? Object.keys(value) : [];
    for (const field of given.filter((name) => name in NewOrderBody.shape && !(name in changeable))) {
      const message = "is fixed when an order is made; make another order";
      context.addIssue({ code: "custom", path: [field], message });
    }
    if (given.length === 0) context.addIssue({ code: "custom", message: "names nothing to change" });
    return value;
  }, z.strictObject(changeable))
  .openapi("OrderChanges");

const route = createRoute({
  method: "patch",
  path: "/v1/orders/{id}",
  operationId: "changeOrder",
  summary: "Changes the terms of a work order that lives. May be repeated.",
  description:
    "For its jobs that wait, which move to where a new priority puts them, and for all later ones. What a worker has " +
    "started is left alone, and keeps what it began with. A deadline counts from when a job, or the order, began to wait, as ever.",
  request: {
    params: IdParams,
    body: { required: true, content: { "application/json": { schema: OrderChangesBody } } },
  },
  responses: {
    200: { description: "The order as it is now.", content: { "application/json": { schema: WholeOrder } } },
    ...problems("invalid_argument", "not_found", "failed_precondition", "too_large"),
  },
});

export function patchOrderRoutes({ changeOrder, orders }: RestDeps) {
  return newRoutes().openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const changes = changesOf(c.req.valid("json"));
    const order = await changedOrder({ orders }, c.get("caller"), id, (query) =>
      changeOrder.change(query, changes),
    );
    return c.json(order, 200);
  });
}

/** @throws DispatchError `invalid_argument`, with the field */
function changesOf(body: z.infer<typeof OrderChangesBody>): OrderChanges {
  checkTexts({ metadata: body.metadata ?? "", attributes: body.attributes ?? {} });
  return {
    ...(body.priority !== undefined && { priority: body.priority }),
    ...(body.deadline_ms !== undefined && { wait_ms: body.deadline_ms }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
    ...(body.attributes !== undefined && { attributes: JSON.stringify(body.attributes) }),
    ...(body.max_attempts !== undefined && { max_attempts: body.max_attempts }),
    ...(body.restart_policy !== undefined && { restart_policy: body.restart_policy }),
  };
}
