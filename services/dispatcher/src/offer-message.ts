/**
 * What a gateway needs to ask its worker, put together from the claim's reply so that the gateway reads nothing.
 */

import type { FirstDispatch, OfferMessage } from "@muster/domain/node-message";
import { poolOf } from "@muster/domain/pool";
import type { BoundScripts } from "@muster/ledger/generated/scripts";
import { type JobRecord, jobRecord, type OrderRecord, orderRecord } from "@muster/ledger/records";

export type OfferedReply = Extract<Awaited<ReturnType<BoundScripts["admit"]>>, { status: "offered" }>;

export function offerMessage(
  namespace: string,
  reply: OfferedReply,
): { gateway: string; offer: OfferMessage } {
  const job = jobRecord(reply.job);
  const order = job.order === "" ? undefined : orderRecord(reply.order);
  // Lost with its worker, and not failed since: a failed job that is tried again resumes nothing.
  const resuming = job.resumedAtMs > Number(reply.job.not_before ?? 0);
  const first = firstDispatch(reply);
  return {
    gateway: job.gateway,
    offer: {
      ...{ kind: "offer", namespace, resuming, ...ofJob(job), ...ofOrder(job, order) },
      ...(first !== undefined && { first }),
    },
  };
}

/** undefined: a worker had accepted the job before. */
export function firstDispatch({ job, order }: OfferedReply): FirstDispatch | undefined {
  if (Number(job.accepted_epoch ?? 0) > 0) return undefined;
  // As the claim found the job: it takes the mark of waiting off behind what it read.
  const waited = Number(job.offers) > 1 || parkedAtMs(job) > 0 || Number(order.released_at ?? 0) > 0;
  return { createdAtMs: Number(job.created_at), path: waited ? "waited" : "direct" };
}

/** Since when nobody had room for the job when it was claimed; 0 when it did not wait. */
export function parkedAtMs(job: OfferedReply["job"]): number {
  return Number(job.parked_at ?? 0);
}

function ofJob(job: JobRecord) {
  return {
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
    offeredAtMs: job.updatedAtMs,
    priority: job.priority,
    maxAttempts: job.maxAttempts,
  };
}

/**
 * A simulated job has no order: it goes to the session that asked, whatever its agent. Else the agent is the one that is
 * really asked: after a fallback step not the one that the order names.
 */
function ofOrder(
  { pool, restartPolicy }: JobRecord,
  order: OrderRecord | undefined,
): Pick<OfferMessage, "metadata" | "attributes" | "agentName" | "deployment" | "restartPolicy"> {
  if (order === undefined) {
    return { metadata: "", attributes: {}, agentName: "", deployment: "", restartPolicy: "never" };
  }
  const { metadata, attributes } = order;
  const { agentName, deployment } = poolOf(pool);
  return {
    ...{ metadata, attributes, agentName, deployment },
    restartPolicy: restartPolicy === "" ? order.restartPolicy : restartPolicy,
  };
}
