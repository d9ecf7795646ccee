/**
 * GET, PUT and DELETE /v1/deployment-splits: how an agent's jobs are divided between two of its deployments. What follows is
 * deployment-splits.ts's.
 */

import { createRoute } from "@hono/zod-openapi";
import { requireChangeAll, requireReadAll } from "../auth.js";
import type { DeploymentSplits } from "../deployment-splits.js";
import { namespaceOf, newRoutes } from "./context.js";
import { problems } from "./problem.js";
import {
  DeletedSplit,
  SetSplit,
  Split,
  SplitQuery,
  Splits,
  SplitsQuery,
  splitView,
} from "./split-schemas.js";

const PATH = "/v1/deployment-splits";

export interface SplitRouteDeps {
  deploymentSplits: DeploymentSplits;
}

const listRoute = createRoute({
  method: "get",
  path: PATH,
  operationId: "listDeploymentSplits",
  summary: "The deployment splits of a namespace, how they stand, and what came of the jobs they placed.",
  request: { query: SplitsQuery },
  responses: {
    200: { description: "All of them, by agent.", content: { "application/json": { schema: Splits } } },
    ...problems("invalid_argument"),
  },
});

const putRoute = createRoute({
  method: "put",
  path: PATH,
  operationId: "putDeploymentSplit",
  summary: "Divides an agent's jobs between two of its deployments. May be repeated.",
  description:
    "For jobs whose order names no deployment; one that names a deployment goes there and nowhere else. Which jobs the candidate " +
    "gets is drawn from their ids, once. Where one side has nobody who could take a job, the other gets it. When too many of the " +
    "candidate's jobs went badly, the split is rolled back, until it is set anew. Another split than before starts from its beginning; " +
    "the same one goes on, unless it was rolled back.",
  request: {
    query: SplitQuery,
    body: { required: true, content: { "application/json": { schema: Split } } },
  },
  responses: {
    200: { description: "As it stands now.", content: { "application/json": { schema: SetSplit } } },
    ...problems("invalid_argument", "too_large"),
  },
});

const deleteRoute = createRoute({
  method: "delete",
  path: PATH,
  operationId: "deleteDeploymentSplit",
  summary: "Takes a deployment split back. May be repeated.",
  description: "Jobs whose order names no deployment go to the workers that name none, as without it.",
  request: { query: SplitQuery },
  responses: {
    200: {
      description: "There is none any more.",
      content: { "application/json": { schema: DeletedSplit } },
    },
    ...problems("invalid_argument"),
  },
});

export function deploymentSplitRoutes({ deploymentSplits }: SplitRouteDeps) {
  return newRoutes()
    .openapi(listRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const { agent_name, ...query } = c.req.valid("query");
      const splits = await deploymentSplits.list(namespaceOf(caller, query), agent_name);
      return c.json({ namespace: query.namespace, splits: splits.map(splitView) }, 200);
    })
    .openapi(putRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const { agent_name, ...query } = c.req.valid("query");
      const set = await deploymentSplits.put(namespaceOf(caller, query), agent_name, c.req.valid("json"));
      return c.json({ namespace: query.namespace, ...splitView(set) }, 200);
    })
    .openapi(deleteRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const { agent_name, ...query } = c.req.valid("query");
      const wasSet = await deploymentSplits.remove(namespaceOf(caller, query), agent_name);
      return c.json({ namespace: query.namespace, agent_name, was_set: wasSet }, 200);
    });
}
