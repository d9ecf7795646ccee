/**
 * GET /v1/pools: the pools that are known, with workers or since without, to which orders go and in which they wait.
 * DELETE /v1/pools/{id}: one is no more. It is forgotten in its namespace first, then, when it was the agent's last there, in the
 * project's directory. Without any worker the namespace makes room for another one at once. Died in between: orders go on being
 * made there, or its place stays taken for minutes, as before; the repeat ends both.
 */

import { createRoute } from "@hono/zod-openapi";
import { DispatchError } from "@muster/domain/errors";
import { fieldOf, namespaceName, projectOf } from "@muster/domain/namespace";
import { poolOf } from "@muster/domain/pool";
import { BRIEF_MEMORY_MS } from "@muster/domain/timing";
import { requireChangeAll, requireReadAll } from "../auth.js";
import { namespaceOf, newRoutes, type RestDeps } from "./context.js";
import { MAX_PAGE, nextCursor, rankOf } from "./page.js";
import { Forgotten, PoolPage, PoolParams, PoolsQuery, poolView } from "./pool-schemas.js";
import { problems } from "./problem.js";
import { NamespaceQuery } from "./schemas.js";

const listRoute = createRoute({
  method: "get",
  path: "/v1/pools",
  operationId: "listPools",
  summary: "Pools that are known: where an agent has workers, or had them.",
  description:
    "An order without a namespace goes to each namespace that knows its agent, and one without workers there waits. The pool where " +
    "a worker registered last comes first.",
  request: { query: PoolsQuery },
  responses: {
    200: { description: "A page.", content: { "application/json": { schema: PoolPage } } },
    ...problems("invalid_argument"),
  },
});

const forgetRoute = createRoute({
  method: "delete",
  path: "/v1/pools/{id}",
  operationId: "forgetPool",
  summary: "Forgets a pool that has no workers. May be repeated.",
  description:
    "Orders do not go there any more; what waits there goes on waiting, until it is deleted or its time is over. A worker that registers brings it back. Another api may send orders there for 5 s more. A namespace whose last worker has left no longer counts towards MUSTER_MAX_NAMESPACES.",
  request: { params: PoolParams, query: NamespaceQuery },
  responses: {
    200: { description: "It is not known.", content: { "application/json": { schema: Forgotten } } },
    ...problems("invalid_argument", "failed_precondition"),
  },
});

export function poolRoutes(deps: RestDeps) {
  return newRoutes()
    .openapi(listRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const { namespace, agent_name: agent, limit, cursor } = c.req.valid("query");
      if (agent !== undefined) {
        const pools = await poolsOfAgent(deps, caller.project, agent, namespace);
        return c.json({ pools, next_cursor: null, total: pools.length }, 200);
      }
      const first = rankOf(cursor, "pools");
      const args = { namespace: namespaceName(caller.project, namespace ?? ""), agent: "", oneAgent: false };
      const { pools, total } = await deps.ledger.describePools({ ...args, first, limit });
      return c.json(
        {
          pools: pools.map((pool) => poolView(namespace ?? "", pool)),
          next_cursor: nextCursor("pools", first + limit, total),
          total,
        },
        200,
      );
    })
    .openapi(forgetRoute, async (c) => {
      const caller = c.get("caller");
      requireChangeAll(caller);
      const forgotten = await forgetPool(
        deps,
        namespaceOf(caller, c.req.valid("query")),
        c.req.valid("param").id,
      );
      return c.json({ forgotten }, 200);
    });
}

async function poolsOfAgent({ ledger }: RestDeps, project: string, agent: string, only: string | undefined) {
  const namespaces =
    only === undefined
      ? (await ledger.listAgent({ project, agent, briefMs: BRIEF_MEMORY_MS })).namespaces.sort()
      : [namespaceName(project, only)];
  const found = [];
  for (const namespace of namespaces) {
    for (let first = 0, total = 1; first < total; first += MAX_PAGE) {
      const args = { namespace, agent: encodeURIComponent(agent), oneAgent: true, first, limit: MAX_PAGE };
      const page = await ledger.describePools(args);
      found.push(...page.pools.map((pool) => poolView(fieldOf(namespace), pool)));
      total = page.total;
    }
  }
  return found;
}

async function forgetPool({ ledger, known }: RestDeps, namespace: string, pool: string): Promise<boolean> {
  const reply = await ledger.forgetPool({ namespace, pool });
  if (reply.status === "served") {
    throw new DispatchError(
      "failed_precondition",
      `${reply.sessions} of its workers are connected; end them, or drain them, first`,
    );
  }
  const project = projectOf(namespace);
  if (reply.others === 0) {
    const agent = poolOf(pool).agentName;
    await ledger.forgetAgent({ project, agent, namespaceName: namespace });
    known.forget(project, agent);
  }
  const { sessions } = await ledger.countUse({ namespace });
  if (sessions === 0) await ledger.dropNamespace({ project, namespaceName: namespace });
  return reply.status === "forgotten";
}
