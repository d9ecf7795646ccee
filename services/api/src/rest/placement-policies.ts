/**
 * GET, PUT and DELETE /v1/placement-policies: how a namespace's jobs are placed, for one agent or for all that have no
 * policy of their own. What follows is placement-policies.ts's.
 */

import { createRoute, z } from "@hono/zod-openapi";
import { MAX_AGENT_NAME_BYTES } from "@muster/domain/limits";
import type { PlacementPolicy } from "@muster/ledger/shapes";
import { requireChangeAll, requireReadAll } from "../auth.js";
import type { PlacementPolicies } from "../placement-policies.js";
import { namespaceOf, newRoutes } from "./context.js";
import { problems } from "./problem.js";
import { NamespaceQuery } from "./schemas.js";

const PATH = "/v1/placement-policies";

export interface PlacementRouteDeps {
  placementPolicies: PlacementPolicies;
}

const PolicyQuery = NamespaceQuery.extend({
  agent_name: z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) <= MAX_AGENT_NAME_BYTES,
      `at most ${MAX_AGENT_NAME_BYTES} bytes`,
    )
    .optional()
    .openapi({
      description: "The agent, empty for the unnamed one. Left out: all that have no policy of their own.",
    }),
});

const MAX_JOBS = 100_000;

const Policy = z
  .strictObject({
    strategy: z
      .enum(["spread", "pack", "weighted"])
      .optional()
      .openapi({
        description:
          "`spread` (default): the least loaded worker. `pack`: the most loaded one that has room. `weighted`: at random by " +
          "headroom, as livekit-server does.",
      }),
    max_load: z.number().positive().max(1).optional().openapi({
      description: "Projected load at which a worker is offered no more. Left out: as the gateways have it.",
    }),
    max_jobs: z.int().min(1).max(MAX_JOBS).optional().openapi({
      description: "Jobs that a worker holds at most, offers included. Left out: as the gateways have it.",
    }),
    job_load: z.number().min(0).max(1).optional().openapi({
      description: "Load that one more job is taken to cost a worker, until it is learnt.",
    }),
    reserved_jobs: z.int().min(1).max(MAX_JOBS).optional().openapi({
      description:
        "Of each worker's `max_jobs`, so many are left to jobs of priority `reserved_from` or more.",
    }),
    reserved_load: z.number().positive().max(1).optional().openapi({
      description:
        "Of each worker's `max_load`, so much is left to jobs of priority `reserved_from` or more.",
    }),
    reserved_from: z.int().min(1).max(1000).optional(),
    one_per_room: z.boolean().optional().openapi({
      description:
        "An order for a room where the agent has a live order is merged into that, unless it says otherwise. Left out: no.",
    }),
  })
  .superRefine((policy, context) => {
    const refuse = (field: keyof PlacementPolicy, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    const { max_jobs, max_load, reserved_jobs, reserved_load, reserved_from } = policy;
    const isReserved = reserved_jobs !== undefined || reserved_load !== undefined;
    if (isReserved && reserved_from === undefined)
      refuse("reserved_from", "is needed: who may use what is reserved");
    if (!isReserved && reserved_from !== undefined)
      refuse("reserved_from", "says who may use what is not reserved");
    if (reserved_jobs !== undefined && max_jobs === undefined)
      refuse("reserved_jobs", "is a part of max_jobs, which is missing");
    if ((reserved_jobs ?? 0) >= (max_jobs ?? Number.POSITIVE_INFINITY))
      refuse("reserved_jobs", "must be less than max_jobs");
    if ((reserved_load ?? 0) >= (max_load ?? 1)) refuse("reserved_load", "must be less than max_load");
  })
  .openapi("PlacementPolicy");

const Policies = z
  .object({
    namespace: z.string(),
    policies: z.array(z.object({ agent_name: z.string().nullable(), policy: Policy })).openapi({
      description: "The namespace's own has no agent name.",
    }),
  })
  .openapi("PlacementPolicies");

const whose = { namespace: z.string(), agent_name: z.string().nullable() };
const SetPolicy = z.object({ ...whose, policy: Policy }).openapi("SetPlacementPolicy");
const DeletedPolicy = z.object({ ...whose, was_set: z.boolean() }).openapi("DeletedPlacementPolicy");

const listRoute = createRoute({
  method: "get",
  path: PATH,
  operationId: "listPlacementPolicies",
  summary: "The placement policies of a namespace.",
  request: { query: NamespaceQuery },
  responses: {
    200: { description: "All of them.", content: { "application/json": { schema: Policies } } },
    ...problems("invalid_argument"),
  },
});

const putRoute = createRoute({
  method: "put",
  path: PATH,
  operationId: "putPlacementPolicy",
  summary: "Sets how the jobs of an agent, or of a namespace, are placed. May be repeated.",
  description:
    "In force with the next claim: no offer passes a bound that was set before it. An agent's own policy goes before the " +
    "namespace's in whole. What runs already runs on.",
  request: {
    query: PolicyQuery,
    body: { required: true, content: { "application/json": { schema: Policy } } },
  },
  responses: {
    200: { description: "The policy.", content: { "application/json": { schema: SetPolicy } } },
    ...problems("invalid_argument", "too_large"),
  },
});

const deleteRoute = createRoute({
  method: "delete",
  path: PATH,
  operationId: "deletePlacementPolicy",
  summary: "Takes a placement policy back. May be repeated.",
  request: { query: PolicyQuery },
  responses: {
    200: {
      description: "There is none any more.",
      content: { "application/json": { schema: DeletedPolicy } },
    },
    ...problems("invalid_argument"),
  },
});

export function placementPolicyRoutes({ placementPolicies }: PlacementRouteDeps) {
  return newRoutes()
    .openapi(listRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const query = c.req.valid("query");
      const set = await placementPolicies.list(namespaceOf(caller, query));
      const policies = set.map(({ agent, policy }) => ({ agent_name: agent ?? null, policy }));
      return c.json({ namespace: query.namespace, policies }, 200);
    })
    .openapi(putRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const { agent_name, ...query } = c.req.valid("query");
      const policy = c.req.valid("json");
      await placementPolicies.set(namespaceOf(caller, query), agent_name, policy as PlacementPolicy);
      return c.json({ ...query, agent_name: agent_name ?? null, policy }, 200);
    })
    .openapi(deleteRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const { agent_name, ...query } = c.req.valid("query");
      const wasSet = await placementPolicies.set(namespaceOf(caller, query), agent_name, undefined);
      return c.json({ ...query, agent_name: agent_name ?? null, was_set: wasSet }, 200);
    });
}
