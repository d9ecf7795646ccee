/**
 * Owns what a worker may say in its answer to an offer of who the agent will be. It goes into a token and the ledger, so
 * it is bounded; and the identity that it leaves out is livekit's default.
 */

import { MAX_ATTRIBUTES_BYTES, MAX_IDENTITY_BYTES, MAX_METADATA_BYTES } from "@muster/domain/limits";
import type { AvailabilityResponse } from "@muster/wire/generated/livekit";

/** The field that is too long, as the protocol names it; undefined when all fit. */
export function answerProblem(answer: AvailabilityResponse): string | undefined {
  if (Buffer.byteLength(answer.participantIdentity) > MAX_IDENTITY_BYTES)
    return "availability.participant_identity";
  if (Buffer.byteLength(answer.participantName) > MAX_IDENTITY_BYTES) return "availability.participant_name";
  if (Buffer.byteLength(answer.participantMetadata) > MAX_METADATA_BYTES)
    return "availability.participant_metadata";
  if (attributeBytes(answer.participantAttributes) > MAX_ATTRIBUTES_BYTES) {
    return "availability.participant_attributes";
  }
  return undefined;
}

export function identityOf(answer: AvailabilityResponse, job: string): string {
  return answer.participantIdentity === "" ? `agent-${job}` : answer.participantIdentity;
}

function attributeBytes(attributes: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(attributes))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}
