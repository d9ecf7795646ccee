/**
 * Owns how an offer and its assignment look on the wire. Both SDKs run the job from the AvailabilityRequest, so it says
 * already what livekit-server says there: running, since now, on this worker.
 */

import { fieldOf } from "@muster/domain/namespace";
import type { OfferMessage } from "@muster/domain/node-message";
import type { AvailabilityRequest, Job } from "@muster/wire/generated/livekit";
import { buildJob } from "@muster/wire/job-message";

const NS_PER_MS = 1_000_000n;
const JS_RUNNING = 1;

/** From the server's configuration: the SDKs' recording default follows them. */
export interface UserDataFlags {
  enableRecording: boolean;
  enableRedaction: boolean;
}

export interface JobView {
  offer: OfferMessage;
  flags: UserDataFlags;
  startedAtMs: number;
  /** Known once the worker accepted. */
  participantIdentity: string;
}

export function availabilityRequest(view: Omit<JobView, "participantIdentity">): AvailabilityRequest {
  return { job: jobOf({ ...view, participantIdentity: "" }), resuming: view.offer.resuming };
}

/** @throws DispatchError `malformed` when the offer's room or participant is no such message */
export function jobOf({ offer, flags, startedAtMs, participantIdentity }: JobView): Job {
  const startedAtNs = BigInt(startedAtMs) * NS_PER_MS;
  return buildJob({
    id: offer.wire,
    dispatchId: offer.order,
    type: offer.type,
    room:
      offer.roomInfo === ""
        ? { name: offer.room, sid: offer.roomSid }
        : Buffer.from(offer.roomInfo, "base64"),
    ...(offer.participantInfo !== "" && { participant: Buffer.from(offer.participantInfo, "base64") }),
    namespace: fieldOf(offer.namespace),
    metadata: offer.metadata,
    agentName: offer.agentName,
    deployment: offer.deployment,
    attributes: offer.attributes,
    ...flags,
    state: {
      status: JS_RUNNING,
      startedAtNs,
      updatedAtNs: startedAtNs,
      participantIdentity,
      workerId: offer.session,
    },
  });
}
