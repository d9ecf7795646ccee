/**
 * Owns the two ways between a job's facts as a gateway remembers them and the ledger's records: what a ledger that
 * forgot the job is told it was; and, for a job that came from another socket, what its offer would have said.
 */

import type { OfferMessage } from "@muster/domain/node-message";
import { poolOf } from "@muster/domain/pool";
import type { JobRecord, OrderRecord } from "@muster/ledger/records";
import type { HeldJob, RestoredJob } from "@muster/ledger/shapes";
import type { JobFacts } from "./job-facts.js";

export function restoredJob(
  { job, session, epoch, wire }: HeldJob,
  { offer, agentIdentity }: JobFacts,
): { room: string; job: RestoredJob } {
  return {
    room: offer.room,
    job: {
      id: job,
      session,
      epoch,
      wire,
      order: offer.order,
      type: offer.type,
      room_sid: offer.roomSid,
      room_info: offer.roomInfo,
      participant_info: offer.participantInfo,
      agent_identity: agentIdentity,
      max_attempts: offer.maxAttempts,
      facts: {
        agent: offer.agentName,
        deployment: offer.deployment,
        metadata: offer.metadata,
        attributes: JSON.stringify(offer.attributes),
        priority: offer.priority,
        restart_policy: offer.restartPolicy,
        target: "room",
      },
    },
  };
}

/** Who holds it: after a fallback step not the agent that its order names. */
function servedBy({ pool }: JobRecord): Pick<OfferMessage, "agentName" | "deployment"> {
  const { agentName, deployment } = poolOf(pool);
  return { agentName, deployment };
}

/** `order` is undefined for a simulated job. */
export function factsOf(namespace: string, job: JobRecord, order: OrderRecord | undefined): JobFacts {
  const offer: OfferMessage = {
    kind: "offer",
    namespace,
    session: job.session,
    job: job.id,
    wire: job.wire,
    epoch: job.epoch,
    order: job.order,
    type: job.type,
    room: job.room,
    roomSid: job.roomSid,
    roomInfo: job.roomInfo,
    participantInfo: job.participantInfo,
    metadata: order?.metadata ?? "",
    attributes: order?.attributes ?? {},
    ...(order === undefined ? { agentName: "", deployment: "" } : servedBy(job)),
    priority: job.priority,
    maxAttempts: job.maxAttempts,
    restartPolicy: order?.restartPolicy ?? "never",
    resuming: true,
    offeredAtMs: job.updatedAtMs,
  };
  return { offer, agentIdentity: job.agentIdentity };
}
