/**
 * What the REST API takes and shows of drains: the schemas, and the way to the domain's words and back. Owns every refusal
 * of a target, each with the field at fault.
 */

import { z } from "@hono/zod-openapi";
import { type DrainTarget, MAX_DRAIN_REASON_BYTES } from "@muster/domain/drain";
import { isId } from "@muster/domain/ids";
import { MAX_AGENT_NAME_BYTES } from "@muster/domain/limits";
import { fieldOf } from "@muster/domain/namespace";
import { deploymentProblem } from "@muster/domain/pool";
import type { StoredDrain } from "@muster/ledger/shapes";
import { plainAddress, targetOf } from "../drain-target.js";
import type { DrainProgress } from "../drains.js";
import { namespaceText } from "./schemas.js";

const anId = z.string().refine(isId, "must be an id: 1-64 of A-Z a-z 0-9 _ . -");
const agentName = z
  .string()
  .refine(
    (text) => Buffer.byteLength(text) <= MAX_AGENT_NAME_BYTES,
    `at most ${MAX_AGENT_NAME_BYTES} bytes are taken`,
  );
const deployment = z
  .string()
  .superRefine((text, context) => {
    const problem = deploymentProblem(text);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  })
  .openapi({ type: "string" });
const address = z
  .string()
  .refine((text) => plainAddress(text) !== undefined, "must be an IPv4 or IPv6 address");

export const DrainTargetBody = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("worker"), worker: anId }).openapi("DrainOfWorker", {
      description:
        "One worker, by its id. Ends when its socket does: a worker that comes back has another id.",
    }),
    z.strictObject({ kind: z.literal("gateway"), gateway: anId }).openapi("DrainOfGateway", {
      description: "The workers of this namespace whose socket that gateway has, by its node id.",
    }),
    z
      .strictObject({
        ...{ kind: z.literal("deployment"), agent_name: agentName },
        deployment: deployment.default(""),
      })
      .openapi("DrainOfDeployment", {
        description: "Workers of this agent and this deployment, of all job types; empty: those without one.",
      }),
    z
      .strictObject({ kind: z.literal("client_ip"), client_ip: address })
      .openapi("DrainOfClientIp", { description: "Workers that connected from this address." }),
  ])
  .openapi("DrainTarget");

export const NewDrainBody = z
  .strictObject({
    namespace: namespaceText.default("").openapi({
      description:
        "The namespace as its workers give it at registration; empty for the project's default one.",
    }),
    target: DrainTargetBody,
    reason: z
      .string()
      .refine(
        (text) => Buffer.byteLength(text) <= MAX_DRAIN_REASON_BYTES,
        `at most ${MAX_DRAIN_REASON_BYTES} bytes are taken`,
      )
      .default("")
      .openapi({ description: "For people." }),
  })
  .openapi("NewDrain");

const fields = {
  id: z.string().openapi({ description: "Follows from namespace and target." }),
  namespace: z.string(),
  target: DrainTargetBody,
  reason: z.string(),
  created_at_ms: z.int(),
};

export const Drain = z.object(fields).openapi("Drain");
export const DrainList = z
  .object({ drains: z.array(Drain).openapi({ description: "Oldest first." }) })
  .openapi("DrainList");
export const DrainDetail = z
  .object({
    ...fields,
    done: z.boolean().openapi({
      description: "Nothing is left to wait for: no job, no open offer, and every worker knows of it.",
    }),
    workers: z.int().openapi({ description: "Connected workers that it covers." }),
    workers_behind: z.int().openapi({
      description: "Of these, those that it does not hold yet: they do with their next load report.",
    }),
    jobs: z.int().openapi({ description: "That these workers run, or were told to stop." }),
    offers: z.int().openapi({ description: "To these workers, and not answered yet." }),
    jobs_away: z.int().openapi({
      description: "Of a deployment: jobs whose worker's socket is lost for the moment; else 0.",
    }),
  })
  .openapi("DrainDetail");
export const Undone = z
  .object({
    id: z.string(),
    was_there: z.boolean().openapi({ description: "False when it was undone, or over, before this call." }),
  })
  .openapi("UndoneDrain");

/** Of a body that was checked. */
export function drainTargetOf(target: z.infer<typeof DrainTargetBody>): DrainTarget {
  switch (target.kind) {
    case "worker":
      return { kind: "worker", value: target.worker };
    case "gateway":
      return { kind: "gateway", value: target.gateway };
    case "deployment":
      return { kind: "deployment", value: target.deployment, agentName: target.agent_name };
    case "client_ip":
      return { kind: "client_ip", value: plainAddress(target.client_ip) ?? target.client_ip };
  }
}

function targetView(drain: StoredDrain): z.infer<typeof DrainTargetBody> {
  const target = targetOf(drain);
  switch (target.kind) {
    case "worker":
      return { kind: "worker", worker: target.value };
    case "gateway":
      return { kind: "gateway", gateway: target.value };
    case "deployment":
      return { kind: "deployment", agent_name: target.agentName, deployment: target.value };
    case "client_ip":
      return { kind: "client_ip", client_ip: target.value };
  }
}

export function drainView(namespace: string, drain: StoredDrain): z.infer<typeof Drain> {
  const { id, reason, created_at } = drain;
  const target = targetView(drain);
  return { id, namespace: fieldOf(namespace), target, reason, created_at_ms: Math.trunc(created_at) };
}

export function progressView({ workers, behind, jobs, offers, away }: DrainProgress) {
  const done = behind + jobs + offers + away === 0;
  return { done, workers, workers_behind: behind, jobs, offers, jobs_away: away };
}
