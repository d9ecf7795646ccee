/**
 * Owns how rooms, participants and tracks of the stand-in look: whole, as livekit-server makes them, and thin, as its
 * track events carry them. Knows nothing of what happens to them.
 */
import { randomInt } from "node:crypto";
import type { ParticipantKind } from "@muster/domain/room";
import {
  ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  ParticipantPermission,
  Room,
  TrackInfo,
  TrackSource,
  TrackType,
} from "@muster/wire/generated/livekit";

const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** LiveKit's ids: a prefix and twelve letters. */
export function newId(prefix: string): string {
  return prefix + Array.from({ length: 12 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

const KINDS: Readonly<Record<ParticipantKind, number>> = {
  standard: ParticipantInfo_Kind.STANDARD,
  ingress: ParticipantInfo_Kind.INGRESS,
  egress: ParticipantInfo_Kind.EGRESS,
  sip: ParticipantInfo_Kind.SIP,
  agent: ParticipantInfo_Kind.AGENT,
  connector: ParticipantInfo_Kind.CONNECTOR,
  bridge: ParticipantInfo_Kind.BRIDGE,
};

/** Seconds until a room ends that nobody entered, and that everybody left. livekit-server's defaults. */
export interface RoomTimeouts {
  emptyS: number;
  departureS: number;
}
export const DEFAULT_TIMEOUTS: RoomTimeouts = { emptyS: 300, departureS: 20 };

export function newRoom(name: string, nowMs: number, { emptyS, departureS } = DEFAULT_TIMEOUTS): Room {
  return Room.create({
    sid: newId("RM_"),
    name,
    emptyTimeout: emptyS,
    departureTimeout: departureS,
    creationTime: BigInt(Math.floor(nowMs / 1000)),
    creationTimeMs: BigInt(Math.floor(nowMs)),
    turnPassword: newId(""),
    enabledCodecs: [{ mime: "audio/opus", fmtpLine: "" }],
  });
}

export interface JoinOptions {
  kind?: ParticipantKind;
  attributes?: Record<string, string>;
  metadata?: string;
  name?: string;
}

export function newParticipant(identity: string, options: JoinOptions, nowMs: number): ParticipantInfo {
  const { kind = "standard", attributes = {}, metadata = "", name = "" } = options;
  return ParticipantInfo.create({
    sid: newId("PA_"),
    identity,
    state: ParticipantInfo_State.JOINED,
    joinedAt: BigInt(Math.floor(nowMs / 1000)),
    joinedAtMs: BigInt(Math.floor(nowMs)),
    kind: KINDS[kind],
    attributes: { ...attributes },
    metadata,
    name,
    version: 2,
    permission: ParticipantPermission.create({ canSubscribe: true, canPublish: true, canPublishData: true }),
  });
}

export function newAudioTrack(): TrackInfo {
  return TrackInfo.create({
    sid: newId("TR_AM"),
    type: TrackType.AUDIO,
    name: "microphone",
    source: TrackSource.MICROPHONE,
    mimeType: "audio/opus",
    stream: "camera",
  });
}

/** Agents and egress: they neither keep a room open nor are counted in it. */
export function isDependent({ kind }: ParticipantInfo): boolean {
  return kind === ParticipantInfo_Kind.AGENT || kind === ParticipantInfo_Kind.EGRESS;
}

/** What is handed out stays as it was then. */
export function copyOf<T>(
  codec: { encode(message: Partial<T>): { finish(): Uint8Array }; decode(bytes: Uint8Array): T },
  message: T,
): T {
  return codec.decode(codec.encode(message as Partial<T>).finish());
}

export function thinRoom({ sid, name }: Room): Room {
  return Room.create({ sid, name });
}

export function thinParticipant({ sid, identity }: ParticipantInfo): ParticipantInfo {
  return ParticipantInfo.create({ sid, identity });
}
