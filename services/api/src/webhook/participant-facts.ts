/**
 * One ParticipantInfo of LiveKit as facts. Owns what each of its fields means and how large it may be; must never take
 * what was left out for a fact: `track_published` fills in sid and identity and nothing else.
 */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import {
  MAX_ATTRIBUTES_BYTES,
  MAX_FRAME_BYTES,
  MAX_IDENTITY_BYTES,
  MAX_METADATA_BYTES,
} from "@muster/domain/limits";
import type { ParticipantFacts, ParticipantKind } from "@muster/domain/room";
import { ParticipantInfo, ParticipantInfo_Kind } from "@muster/wire/generated/livekit";
import { checkBytes, requireText, unixMsOf } from "./fact-bounds.js";

const KINDS: ReadonlyMap<number, ParticipantKind> = new Map([
  [ParticipantInfo_Kind.STANDARD, "standard"],
  [ParticipantInfo_Kind.INGRESS, "ingress"],
  [ParticipantInfo_Kind.EGRESS, "egress"],
  [ParticipantInfo_Kind.SIP, "sip"],
  [ParticipantInfo_Kind.AGENT, "agent"],
  [ParticipantInfo_Kind.CONNECTOR, "connector"],
  [ParticipantInfo_Kind.BRIDGE, "bridge"],
]);

/**
 * Everything but when it joined and whether it left, which a ParticipantInfo alone does not tell.
 * @throws DispatchError `invalid_argument`; `field` begins the path in it
 */
export function participantFacts(info: ParticipantInfo, field: string): ParticipantFacts {
  const { sid, identity } = info;
  requireText(`${field}.identity`, identity, MAX_IDENTITY_BYTES);
  if (!isId(sid)) throw new DispatchError("invalid_argument", "must be LiveKit's sid", `${field}.sid`);
  const publishes = info.tracks.length > 0 ? { publishes: true as const } : {};
  if (!isWhole(info)) return { sid, identity, ...publishes };
  checkBytes(`${field}.metadata`, info.metadata, MAX_METADATA_BYTES);
  checkAttributes(`${field}.attributes`, info.attributes);
  const bytes = ParticipantInfo.encode(info).finish();
  // It goes to workers within one frame.
  if (bytes.byteLength > MAX_FRAME_BYTES) {
    throw new DispatchError("invalid_argument", `more than ${MAX_FRAME_BYTES} bytes`, field);
  }
  const kind = KINDS.get(info.kind);
  return {
    sid,
    identity,
    ...(kind !== undefined && { kind }),
    attributes: info.attributes,
    info: Buffer.from(bytes).toString("base64"),
    ...publishes,
  };
}

/** 0 when it does not say. */
export function joinedAtMsOf(info: ParticipantInfo): number {
  return unixMsOf(info.joinedAtMs, info.joinedAt);
}

/** livekit-server sets the time whenever it makes the message from a participant (pkg/rtc/participant.go, ToProto). */
function isWhole(info: ParticipantInfo): boolean {
  return info.joinedAt !== 0n || info.joinedAtMs !== 0n;
}

function checkAttributes(field: string, attributes: Readonly<Record<string, string>>): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(attributes))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  if (bytes <= MAX_ATTRIBUTES_BYTES) return;
  const problem = `${bytes} bytes of keys and values; at most ${MAX_ATTRIBUTES_BYTES} are taken`;
  throw new DispatchError("invalid_argument", problem, field);
}
