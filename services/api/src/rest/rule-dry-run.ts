/**
 * POST /v1/rules/dry-run: what would come of all rules for a room, were its life to begin now. Changes nothing: what is
 * planned is what would be made, by the same plan and the same choice of namespaces.
 */

import { createRoute, z } from "@hono/zod-openapi";
import { MAX_METADATA_BYTES, MAX_ROOM_NAME_BYTES } from "@muster/domain/limits";
import { fieldOf } from "@muster/domain/namespace";
import { requireReadAll } from "../auth.js";
import { checkBytes, checkRoom } from "../order-request.js";
import type { Placement } from "../placement.js";
import type { Definitions } from "../rules/definitions.js";
import { CONFIGURATION_FIELD, type PlannedOrder, planOrders } from "../rules/plan-orders.js";
import { newRoutes } from "./context.js";
import { OrderTemplate, termsOf } from "./new-order.js";
import { problems } from "./problem.js";
import { RULES_PATH } from "./rules.js";

export interface DryRunDeps {
  definitions: Pick<Definitions, "of">;
  placement: Pick<Placement, "choose">;
}

const DryRunBody = z
  .strictObject({
    room: z
      .string()
      .openapi({ description: `A room's name, 1-${MAX_ROOM_NAME_BYTES} bytes. It need not be there.` }),
    metadata: z
      .string()
      .default("")
      .openapi({ description: `What the room's metadata would be. At most ${MAX_METADATA_BYTES} bytes.` }),
  })
  .openapi("RuleDryRun");

const DryRun = z
  .object({
    rules: z
      .array(
        z.object({
          id: z.string(),
          version: z.int(),
          matches: z.boolean(),
          failed: z.array(z.string()).openapi({
            description: "What of the rule is against it: enabled, when.room_pattern, when.metadata.<field>.",
          }),
        }),
      )
      .openapi({ description: "All rules there are." }),
    configurations: z
      .array(
        z.object({
          id: z.string(),
          rule: z
            .string()
            .nullable()
            .openapi({
              description: `The rule that names it; null: the room's metadata, as ${CONFIGURATION_FIELD}.`,
            }),
          is_known: z
            .boolean()
            .openapi({ description: "false: there is none of this id, and nothing follows." }),
        }),
      )
      .openapi({ description: "Room configurations that would be applied, each once." }),
    orders: z
      .array(
        OrderTemplate.omit({ namespace: true, metadata: true, attributes: true })
          .extend({
            rule: z.string().nullable(),
            configuration: z.string().nullable(),
            index: z.int().openapi({ description: "Its place in the rule or the configuration." }),
            namespaces: z
              .array(z.string())
              .openapi({ description: "Where it would have a part, as of now." }),
          })
          .openapi("PlannedOrder"),
      )
      .openapi({ description: "Without metadata and attributes." }),
  })
  .openapi("RuleDryRunResult");

const dryRunRoute = createRoute({
  method: "post",
  path: `${RULES_PATH}/dry-run`,
  operationId: "dryRunRules",
  summary: "What would be ordered for a room, were it to start now. Changes nothing.",
  request: { body: { required: true, content: { "application/json": { schema: DryRunBody } } } },
  responses: {
    200: {
      description: "Each rule's verdict, and the orders.",
      content: { "application/json": { schema: DryRun } },
    },
    ...problems("invalid_argument", "too_large"),
  },
});

export function dryRunRoutes({ definitions, placement }: DryRunDeps) {
  return newRoutes().openapi(dryRunRoute, async (c) => {
    const caller = c.get("caller");
    requireReadAll(caller);
    const { room, metadata } = c.req.valid("json");
    checkRoom(room);
    checkBytes("metadata", metadata, MAX_METADATA_BYTES);
    const { project } = caller;
    const plan = planOrders(
      await definitions.of(project),
      { name: room, metadata },
      { withAllVerdicts: true },
    );
    const orders: z.infer<typeof DryRun>["orders"] = [];
    for (const planned of plan.orders) {
      const terms = termsOf(planned.template);
      orders.push(plannedView(planned, await placement.choose({ project, ...terms })));
    }
    const rules = plan.verdicts.map(({ rule: id, version, failed }) => {
      return { id, version, matches: failed.length === 0, failed };
    });
    const configurations = plan.named.map(({ id, rule, isKnown }) => ({
      id,
      rule: rule ?? null,
      is_known: isKnown,
    }));
    return c.json({ rules, configurations, orders }, 200);
  });
}

function plannedView({ from, template }: PlannedOrder, namespaces: readonly string[]) {
  const { namespace: _namespace, metadata: _metadata, attributes: _attributes, ...terms } = template;
  return {
    ...terms,
    rule: from.kind === "rule" ? from.id : null,
    configuration: from.kind === "configuration" ? from.id : null,
    index: from.index,
    namespaces: namespaces.map(fieldOf),
  };
}
