/**
 * One ParticipantInfo of a webhook as facts. Owns how large each of its fields may be, since it comes from outside; what
 * they mean is the same wherever LiveKit says it (@muster/livekit/facts).
 */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import { MAX_ATTRIBUTES_BYTES, MAX_IDENTITY_BYTES, MAX_METADATA_BYTES } from "@muster/domain/limits";
import type { ParticipantFacts } from "@muster/domain/room";
import { participantFactsOf } from "@muster/livekit/facts";
import type { ParticipantInfo } from "@muster/wire/generated/livekit";
import { checkBytes, checkInfo, requireText, unixMsOf } from "./fact-bounds.js";

/**
 * Everything but when it joined and whether it left, which a ParticipantInfo alone does not tell.
 * @throws DispatchError `invalid_argument`; `field` begins the path in it
 */
export function participantFacts(participant: ParticipantInfo, field: string): ParticipantFacts {
  requireText(`${field}.identity`, participant.identity, MAX_IDENTITY_BYTES);
  if (!isId(participant.sid))
    throw new DispatchError("invalid_argument", "must be LiveKit's sid", `${field}.sid`);
  checkBytes(`${field}.metadata`, participant.metadata, MAX_METADATA_BYTES);
  checkAttributes(`${field}.attributes`, participant.attributes);
  const { joinedAtMs: _, ...facts } = participantFactsOf(participant);
  checkInfo(field, facts.info ?? "");
  return facts;
}

/** 0 when it does not say. */
export function joinedAtMsOf(participant: ParticipantInfo): number {
  return unixMsOf(participant.joinedAtMs, participant.joinedAt);
}

function checkAttributes(field: string, attributes: Readonly<Record<string, string>>): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(attributes))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  if (bytes <= MAX_ATTRIBUTES_BYTES) return;
  const problem = `${bytes} bytes of keys and values; at most ${MAX_ATTRIBUTES_BYTES} are taken`;
  throw new DispatchError("invalid_argument", problem, field);
}
