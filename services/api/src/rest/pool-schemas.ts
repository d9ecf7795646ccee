/** The shapes of /v1/pools: pools as they are listed, and the id by which one is forgotten. */

import { z } from "@hono/zod-openapi";
import { JOB_TYPES, poolName, poolOf } from "@muster/domain/pool";
import type { KnownPool } from "@muster/ledger/shapes";
import { PageLimit } from "./page.js";
import { namespaceText } from "./schemas.js";

/** Longer than any: an agent's name is at most 256 bytes, and each may be escaped. */
const MAX_ID = 2048;

const timeMs = z.int().nullable();

export const PoolsQuery = z.object({
  namespace: namespaceText.optional().openapi({
    description:
      "Pools of this one; empty for the project's default one, as when neither this nor agent_name is given.",
  }),
  agent_name: z.string().optional().openapi({
    description:
      "Pools of this agent alone. Without a namespace: in all that know it, those to which an order without a namespace goes.",
  }),
  limit: PageLimit,
  cursor: z.string().max(64).optional().openapi({
    description: "`next_cursor` of the page before. With agent_name there is one page.",
  }),
});

export const PoolParams = z.object({
  id: z
    .string()
    .max(MAX_ID)
    .transform((id) => Buffer.from(id, "base64url").toString("utf8"))
    .refine(isPoolName, "must be the id of a pool, as GET /v1/pools has it")
    .openapi({ type: "string", param: { name: "id", in: "path" }, example: "cm9vbS9hZ2VudC8" }),
});

export const Pool = z
  .object({
    id: z.string().openapi({ description: "Of the pool within its namespace." }),
    namespace: z.string(),
    agent_name: z.string(),
    type: z.enum(JOB_TYPES),
    deployment: z.string(),
    workers: z.int().openapi({ description: "Connected now." }),
    jobs_waiting: z.int().openapi({ description: "For want of a worker with room." }),
    registered_at_ms: timeMs.openapi({ description: "When a worker registered last." }),
    left_at_ms: timeMs.openapi({
      description: "When the last worker left; null while one is there, or when that is not known.",
    }),
    brief: z.boolean().openapi({
      description:
        "No worker stayed for a minute or took a job so far: it is forgotten ten minutes after the last one left.",
    }),
  })
  .openapi("Pool");

export const PoolPage = z
  .object({
    pools: z.array(Pool),
    next_cursor: z.string().nullable(),
    total: z.int().openapi({ description: "Of the namespace, all agents; with agent_name, those listed." }),
  })
  .openapi("PoolPage");

export const Forgotten = z
  .object({ forgotten: z.boolean().openapi({ description: "false: it was not known." }) })
  .openapi("ForgottenPool");

export function poolView(namespace: string, known: KnownPool): z.infer<typeof Pool> {
  const { agentName, type, deployment } = poolOf(known.pool);
  return {
    id: Buffer.from(known.pool).toString("base64url"),
    namespace,
    agent_name: agentName,
    type,
    deployment,
    workers: known.sessions,
    jobs_waiting: known.parked,
    registered_at_ms: known.registered_at,
    left_at_ms: known.left_at === 0 ? null : known.left_at,
    brief: known.brief === 1,
  };
}

function isPoolName(text: string): boolean {
  try {
    return poolName(poolOf(text)) === text;
  } catch {
    // Not percent-encoded as names of pools are.
    return false;
  }
}
