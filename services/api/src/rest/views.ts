/**
 * The ledger's records as the REST API shows them. Owns the names of fields and what is left out; reads nothing.
 */

import type { z } from "@hono/zod-openapi";
import { errorOf } from "@muster/domain/job-end";
import { fieldOf } from "@muster/domain/namespace";
import { poolOf } from "@muster/domain/pool";
import type { JobRecord, OrderRecord, SessionRecord } from "@muster/ledger/records";
import { decodeParticipant } from "@muster/wire/job-message";
import type { OrderPart } from "../room-orders.js";
import { fallbackView } from "./fallback.js";
import { preferencesView } from "./preferences.js";
import type { Job, JobDetail, Order, OrderJob, WholeOrder, Worker } from "./schemas.js";
import { targetView } from "./target.js";

/** 0 in the ledger is "not yet". */
const timeOrNull = (ms: number): number | null => (ms === 0 ? null : Math.trunc(ms));

export function workerView(namespace: string, session: SessionRecord): z.infer<typeof Worker> {
  return {
    id: session.id,
    namespace,
    agent_name: session.agent,
    type: session.type,
    deployment: session.deployment,
    version: session.version,
    client_ip: session.clientIp,
    labels: session.labels,
    gateway: session.gateway,
    status: session.status,
    draining: session.draining,
    drained_by: [...session.drainedBy],
    load: session.load,
    reported_jobs: session.jobCount,
    sampled_at_ms: timeOrNull(session.sampledAtMs),
    cooling_until_ms: timeOrNull(session.coolingUntilMs),
    health: {
      state: session.health,
      until_ms: session.health === "ejected" ? timeOrNull(session.coolingUntilMs) : null,
      why: session.why === "" ? null : session.why,
      strikes: session.strikes,
    },
    connected_at_ms: timeOrNull(session.connectedAtMs),
  };
}

export function jobView(namespace: string, job: JobRecord): z.infer<typeof Job> {
  const { agentName, deployment } = poolOf(job.pool);
  return {
    id: job.id,
    namespace,
    order_id: job.order,
    state: job.state,
    held: job.isHeld,
    outcome: job.outcome === "" ? null : job.outcome,
    cause: job.cause,
    error: errorOf(job),
    type: job.type,
    agent_name: agentName,
    deployment,
    fallback_step: job.fallbackStep,
    room: job.room,
    room_sid: job.roomSid,
    participant_identity: job.agentIdentity,
    worker_id: job.session,
    worker_job_id: job.wire,
    epoch: job.epoch,
    offers: job.offers,
    attempts: job.attempts,
    priority: job.priority,
    created_at_ms: timeOrNull(job.createdAtMs),
    updated_at_ms: timeOrNull(job.updatedAtMs),
    offered_at_ms: timeOrNull(job.offeredAtMs),
    started_at_ms: timeOrNull(job.startedAtMs),
    running_at_ms: timeOrNull(job.runningAtMs),
    ended_at_ms: timeOrNull(job.endedAtMs),
    suspect_since_ms: timeOrNull(job.suspectAtMs),
  };
}

/** Whom a job is for; null for one of the room, or where it was not told. */
export function participantView({
  participantInfo,
}: Pick<JobRecord, "participantInfo">): z.infer<typeof JobDetail>["participant"] {
  if (participantInfo === "") return null;
  const { identity, sid } = decodeParticipant(Buffer.from(participantInfo, "base64"));
  return { identity, sid };
}

/** A job in the answer of its order. */
export function orderJobView(namespace: string, job: JobRecord): z.infer<typeof OrderJob> {
  const { id, type, state, outcome } = job;
  return { id, namespace, type, state, outcome: outcome === "" ? null : outcome };
}

export function orderView(namespace: string, order: OrderRecord): z.infer<typeof Order> {
  return { ...orderFields(order), namespace };
}

/** All parts of one order; at least one. */
export function wholeOrderView(parts: readonly [OrderPart, ...OrderPart[]]): z.infer<typeof WholeOrder> {
  const orders = parts.map(({ order }) => order);
  const [{ order }] = parts;
  const over = orders.every(({ state }) => state !== "live");
  return {
    ...orderFields({
      ...order,
      ...(over ? endOf(orders) : { state: "live" as const, cause: "" as const }),
      isHeld: orders.some(({ isHeld }) => isHeld),
      roomSid: orders.find(({ roomSid }) => roomSid !== "")?.roomSid ?? "",
      createdAtMs: Math.min(...orders.map(({ createdAtMs }) => createdAtMs)),
      endedAtMs: over ? Math.max(...orders.map(({ endedAtMs }) => endedAtMs)) : 0,
      deletedAtMs: orders.some(({ deletedAtMs }) => deletedAtMs === 0)
        ? 0
        : Math.max(...orders.map(({ deletedAtMs }) => deletedAtMs)),
    }),
    metadata: order.metadata,
    attributes: order.attributes,
    namespaces: parts.map((part) => fieldOf(part.namespace)),
    jobs: parts.flatMap((part) => part.jobs.map((job) => orderJobView(fieldOf(part.namespace), job))),
  };
}

/** Of one that is over everywhere: ended, if it did so anywhere; expired, if that; deleted is what is deleted everywhere. */
function endOf(orders: readonly OrderRecord[]): Pick<OrderRecord, "state" | "cause"> {
  const ends = (["ended", "expired", "deleted"] as const).map((end) =>
    orders.find(({ state }) => state === end),
  );
  const { state = "deleted", cause = "deleted" } = ends.find((order) => order !== undefined) ?? {};
  return { state, cause };
}

function orderFields(order: OrderRecord): Omit<z.infer<typeof Order>, "namespace"> {
  return {
    id: order.id,
    state: order.state,
    cause: order.cause,
    held: order.isHeld,
    keep_waiting: order.keepsWaiting,
    room: order.room,
    room_sid: order.roomSid,
    agent_name: order.agent,
    deployment: order.deployment,
    priority: order.priority,
    deadline_ms: order.waitMs || null,
    restart_policy: order.restartPolicy,
    max_attempts: order.maxAttempts || null,
    target: targetView(order.target),
    fallback: fallbackView(order.fallback),
    preferences: preferencesView(order.preferences),
    created_at_ms: timeOrNull(order.createdAtMs),
    ended_at_ms: timeOrNull(order.endedAtMs),
    deleted_at_ms: timeOrNull(order.deletedAtMs),
  };
}
