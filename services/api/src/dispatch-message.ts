/**
 * Orders and jobs as LiveKit's AgentDispatch and Job. Owns the way from the ledger's words to the wire's; milliseconds
 * become nanoseconds here.
 */

import { wireStatus } from "@muster/domain/job";
import { wireErrorOf } from "@muster/domain/job-end";
import { fieldOf } from "@muster/domain/namespace";
import { JOB_TYPES } from "@muster/domain/pool";
import type { JobRecord } from "@muster/ledger/records";
import type { AgentDispatch, Job, Room } from "@muster/wire/generated/livekit";
import {
  AgentDispatch as AgentDispatchMessage,
  AgentDispatchState as AgentDispatchStateMessage,
  Job as JobMessage,
  JobRestartPolicy,
  JobState as JobStateMessage,
  Room as RoomMessage,
} from "@muster/wire/generated/livekit";
import { decodeParticipant, decodeRoom } from "@muster/wire/job-message";
import type { AcceptedOrder } from "./accept-order.js";
import type { NewOrder } from "./order-request.js";
import type { OrderPart } from "./room-orders.js";

const NANOSECONDS_PER_MS = 1_000_000n;

export function nanoseconds(ms: number): bigint {
  return BigInt(Math.trunc(ms)) * NANOSECONDS_PER_MS;
}

/** The parts of one order; at least one. */
export function dispatchMessage(parts: readonly [OrderPart, ...OrderPart[]]): AgentDispatch {
  const [{ order }] = parts;
  const deletions = parts.map((part) => part.order.deletedAtMs);
  return AgentDispatchMessage.create({
    id: order.id,
    agentName: order.agent,
    room: order.room,
    metadata: order.metadata,
    deployment: order.deployment,
    attributes: order.attributes,
    restartPolicy: restartPolicyNumber(order.restartPolicy),
    state: AgentDispatchStateMessage.create({
      jobs: parts.flatMap((part) => part.jobs.map((job) => jobMessage(part, job))),
      createdAt: nanoseconds(Math.min(...parts.map((part) => part.order.createdAtMs))),
      // Deleted is what is deleted everywhere.
      deletedAt: nanoseconds(deletions.includes(0) ? 0 : Math.max(...deletions)),
    }),
  });
}

/** An order that was created just now, without reading it back. */
export function createdMessage(order: NewOrder, accepted: AcceptedOrder, nowMs: number): AgentDispatch {
  const { agent, room, metadata, deployment, attributes } = order;
  return AgentDispatchMessage.create({
    id: accepted.order,
    agentName: agent,
    room,
    metadata,
    deployment,
    attributes,
    restartPolicy: restartPolicyNumber(order.restartPolicy),
    state: AgentDispatchStateMessage.create({
      jobs: accepted.jobs.map((job) =>
        JobMessage.create({
          id: job.id,
          dispatchId: accepted.order,
          room: roomMessage({ room, roomSid: "", roomInfo: job.roomInfo }),
          namespace: fieldOf(job.namespace),
          metadata,
          agentName: agent,
          deployment,
          attributes,
          state: JobStateMessage.create({ updatedAt: nanoseconds(nowMs) }),
        }),
      ),
      createdAt: nanoseconds(nowMs),
    }),
  });
}

function jobMessage({ namespace, order }: OrderPart, job: JobRecord): Job {
  return JobMessage.create({
    id: job.id,
    dispatchId: order.id,
    type: JOB_TYPES.indexOf(job.type),
    room: roomMessage(job),
    participant: job.participantInfo === "" ? null : decodeParticipant(bytesOf(job.participantInfo)),
    namespace: fieldOf(namespace),
    metadata: order.metadata,
    agentName: order.agent,
    deployment: order.deployment,
    attributes: order.attributes,
    state: JobStateMessage.create({
      status: wireStatus(job.state, job.outcome),
      error: wireErrorOf(job),
      startedAt: nanoseconds(job.startedAtMs),
      endedAt: nanoseconds(job.endedAtMs),
      updatedAt: nanoseconds(job.updatedAtMs),
      participantIdentity: job.agentIdentity,
      workerId: job.session,
    }),
  });
}

/** As the job's agent was, or is to be, told of it. */
function roomMessage({ room, roomSid, roomInfo }: Pick<JobRecord, "room" | "roomSid" | "roomInfo">): Room {
  return roomInfo === "" ? RoomMessage.create({ name: room, sid: roomSid }) : decodeRoom(bytesOf(roomInfo));
}

function bytesOf(base64: string): Uint8Array {
  return Buffer.from(base64, "base64");
}

function restartPolicyNumber(policy: NewOrder["restartPolicy"]): number {
  return policy === "never" ? JobRestartPolicy.JRP_NEVER : JobRestartPolicy.JRP_ON_FAILURE;
}
