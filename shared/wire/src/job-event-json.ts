/**
 * A job's event as JSON, as the live stream sends it and webhooks carry it beside LiveKit's own members. The names are the
 * REST API's. Members that an event does not have are null, or left out where they belong to one kind alone.
 */

import { errorOf } from "@muster/domain/job-end";
import type { JobEvent } from "@muster/domain/job-event";
import { fieldOf } from "@muster/domain/namespace";

export interface JobEventJson {
  id: string;
  event: string;
  at_ms: number;
  /** As workers give it at registration; empty for the project's default one. */
  namespace: string;
  job_id: string;
  /** Empty for a simulated job. */
  order_id: string;
  type: string;
  agent_name: string;
  deployment: string;
  room: string;
  room_sid: string;
  state: string;
  outcome: string | null;
  reason: string | null;
  error: string | null;
  worker_id: string | null;
  previous_worker_id: string | null;
  participant_identity: string | null;
  /** The job id as the newest offer carried it. */
  worker_job_id: string;
  epoch: number;
  attempts: number;
  /** Of a fallback step: who was asked before. */
  previous_agent_name?: string;
  previous_deployment?: string;
  /** Of a parked job: how many stand before it; null for one that is on hold. */
  position?: number | null;
  /** Of a parked job; null when nothing is known. */
  estimated_wait_ms?: number | null;
  /** Of a parked job: whether that is because its order is on hold. */
  held?: boolean;
}

export function jobEventJson(event: JobEvent): JobEventJson {
  const orNull = (text: string): string | null => (text === "" ? null : text);
  return {
    id: event.id,
    event: event.event,
    at_ms: event.atMs,
    namespace: fieldOf(event.namespace),
    job_id: event.job,
    order_id: event.order,
    type: event.type,
    agent_name: event.agentName,
    deployment: event.deployment,
    room: event.room,
    room_sid: event.roomSid,
    state: event.state,
    outcome: orNull(event.outcome),
    reason: orNull(event.reason),
    error: orNull(errorOf({ ...event, cause: event.reason })),
    worker_id: orNull(event.worker),
    previous_worker_id: orNull(event.fromWorker),
    participant_identity: orNull(event.agentIdentity),
    worker_job_id: event.wire,
    epoch: event.epoch,
    attempts: event.attempts,
    ...(event.event === "agent_job_fallback" && {
      previous_agent_name: event.fromAgentName,
      previous_deployment: event.fromDeployment,
    }),
    ...(event.event === "agent_job_parked" && {
      position: event.held ? null : event.position,
      estimated_wait_ms: event.estimatedWaitMs || null,
      held: event.held,
    }),
  };
}
