/**
 * GET /v1/scaling/{agent}: what an agent's workers have to do, and how many of them that needs; flat numbers, as KEDA's
 * metrics-api reads them. Reads only. Of an agent that was never seen all is 0. How it is reckoned is domain/scaling's.
 */

import { createRoute, z } from "@hono/zod-openapi";
import { MAX_AGENT_NAME_BYTES } from "@muster/domain/limits";
import { deploymentProblem, JOB_TYPES, poolName } from "@muster/domain/pool";
import { addSizes, EMPTY_POOL, neededOf } from "@muster/domain/scaling";
import { measurePool } from "@muster/ledger/pool-size";
import { requireReadAll } from "../auth.js";
import { namespaceOf, newRoutes, type RestDeps } from "./context.js";
import { problems } from "./problem.js";
import { NamespaceQuery } from "./schemas.js";

const MOST_SLOTS = 100_000;

const AgentParams = z.object({
  agent: z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) <= MAX_AGENT_NAME_BYTES,
      `at most ${MAX_AGENT_NAME_BYTES} bytes are taken`,
    )
    .openapi({ param: { name: "agent", in: "path" }, description: "Agent name, percent-encoded." }),
});

/** Not what `z.coerce` makes of an empty text. */
const countText = z.string().regex(/^\d{1,6}$/, "must be a whole number");
const shareText = z.string().regex(/^(0?\.\d{1,6}|[01]|1\.0{1,6})$/, "must be a number from 0 to 1");

const ScalingQuery = NamespaceQuery.extend({
  deployment: z
    .string()
    .default("")
    .superRefine((text, context) => {
      const problem = deploymentProblem(text);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
    })
    .openapi({ type: "string", description: "As its workers register it; empty for those without one." }),
  type: z
    .enum(JOB_TYPES)
    .optional()
    .openapi({ description: "Only workers for this type of job; all types when not given." }),
  headroom: shareText
    .optional()
    .openapi({ description: "0-1: this share of the demand is to be free on top of it." }),
  headroom_slots: countText
    .refine((text) => Number(text) <= MOST_SLOTS, `must be ${MOST_SLOTS} at most`)
    .optional()
    .openapi({ description: "So many places are to be free on top of the demand, also when there is none." }),
  slots_per_worker: countText
    .refine((text) => Number(text) >= 1 && Number(text) <= MOST_SLOTS, `must be 1-${MOST_SLOTS}`)
    .optional()
    .openapi({
      description:
        "What a worker can take. Not given: the mean of those that are there; with nobody there one worker is needed first.",
    }),
});

const count = (description: string) => z.int().openapi({ description });

const Scaling = z
  .object({
    agent_name: z.string(),
    namespace: z.string(),
    deployment: z.string(),
    needed_workers: count(
      "Replicas that the demand needs, with headroom: 0 only when there is nothing to do.",
    ),
    needed_slots: count("Places that the demand needs, with headroom."),
    slots_per_worker: z
      .number()
      .openapi({ description: "That were reckoned with; 0 when nothing is known." }),
    slots_used: count("Places taken on workers that go on taking jobs: running, offered, or told to stop."),
    slots_free: count("Jobs that could be given to workers at once."),
    slots_draining: count("Places taken on workers that take no more jobs."),
    queued: count(
      "Jobs that wait and are not on hold. Of those not tried yet, what is among the newest 64 live jobs.",
    ),
    workers_available: count("With room for a job."),
    workers_full: count("By their load, their cap, or as they say."),
    workers_cooling: count("Not asked for a while, since they did not answer."),
    workers_draining: count("By their own wish."),
    workers_drained: count("Held by a drain of the API."),
  })
  .openapi("Scaling");

const answers = {
  200: { description: "As it is now.", content: { "application/json": { schema: Scaling } } },
  ...problems("invalid_argument"),
};

const agentRoute = createRoute({
  method: "get",
  path: "/v1/scaling/{agent}",
  operationId: "readScaling",
  summary: "How many workers an agent needs.",
  request: { params: AgentParams, query: ScalingQuery },
  responses: answers,
});

const unnamedRoute = createRoute({
  method: "get",
  path: "/v1/scaling",
  operationId: "readUnnamedScaling",
  summary: "The same of the agent without a name.",
  request: { query: ScalingQuery },
  responses: answers,
});

export function scalingRoutes({ ledger }: Pick<RestDeps, "ledger">) {
  return newRoutes()
    .openapi(agentRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const query = c.req.valid("query");
      return c.json(await scalingOf(namespaceOf(caller, query), c.req.valid("param").agent, query), 200);
    })
    .openapi(unnamedRoute, async (c) => {
      const caller = c.get("caller");
      requireReadAll(caller);
      const query = c.req.valid("query");
      return c.json(await scalingOf(namespaceOf(caller, query), "", query), 200);
    });

  async function scalingOf(namespace: string, agentName: string, query: z.infer<typeof ScalingQuery>) {
    const { deployment, type: only } = query;
    const types = only === undefined ? JOB_TYPES : [only];
    const pools = types.map((type) => poolName({ agentName, type, deployment }));
    const sizes = await Promise.all(pools.map((pool) => measurePool(ledger, namespace, pool)));
    const size = sizes.reduce(addSizes, EMPTY_POOL);
    const { slots_per_worker: each } = query;
    const needed = neededOf(size, {
      headroom: Number(query.headroom ?? 0),
      headroomSlots: Number(query.headroom_slots ?? 0),
      slotsPerWorker: each === undefined ? undefined : Number(each),
    });
    return {
      ...{ agent_name: agentName, namespace: query.namespace, deployment },
      needed_workers: needed.workers,
      needed_slots: needed.slots,
      slots_per_worker: needed.slotsPerWorker,
      slots_used: size.used,
      slots_free: size.free,
      slots_draining: size.leaving,
      queued: size.queued,
      workers_available: size.available,
      workers_full: size.full,
      workers_cooling: size.cooling,
      workers_draining: size.draining,
      workers_drained: size.drained,
    };
  }
}
