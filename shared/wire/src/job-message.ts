/**
 * Jobs as workers see them, made from plain facts; and rooms and participants as bytes, the form in which they are kept
 * and passed on, so that fields newer than our schema survive the way from LiveKit to the worker.
 */

import { invariant } from "@muster/domain/assert";
import { JOB_TYPES, type JobType } from "@muster/domain/pool";
import { Job, JobState, ParticipantInfo, Room } from "./generated/livekit.js";
import { WireReader } from "./protobuf-runtime.js";
import { decodeProtobuf } from "./refuse.js";

export interface JobFacts {
  /** The wire id: `AJ_x`, or `AJ_x.2` on a later offer. */
  readonly id: string;
  readonly dispatchId: string;
  readonly type: JobType;
  /** The whole Room when it is known, else what names it. */
  readonly room: Uint8Array | { readonly name: string; readonly sid: string };
  /** ParticipantInfo; only for publisher and participant jobs. */
  readonly participant?: Uint8Array;
  /** The namespace field alone (`fieldOf` in @muster/domain/namespace), never the project. */
  readonly namespace: string;
  readonly metadata: string;
  readonly agentName: string;
  readonly deployment?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly enableRecording?: boolean;
  readonly enableRedaction?: boolean;
  readonly state: JobStateFacts;
}

export interface JobStateFacts {
  /** `wireStatus` in @muster/domain/job. */
  readonly status: 0 | 1 | 2 | 3;
  readonly startedAtNs?: bigint;
  readonly endedAtNs?: bigint;
  readonly updatedAtNs?: bigint;
  readonly error?: string;
  readonly participantIdentity?: string;
  readonly workerId?: string;
  readonly agentId?: string;
}

/** @throws DispatchError `malformed` when room or participant are bytes of something else */
export function buildJob(facts: JobFacts): Job {
  return Job.create({
    id: facts.id,
    dispatchId: facts.dispatchId,
    type: jobTypeNumber(facts.type),
    room: facts.room instanceof Uint8Array ? decodeRoom(facts.room) : Room.create({ ...facts.room }),
    participant: facts.participant === undefined ? null : decodeParticipant(facts.participant),
    namespace: facts.namespace,
    metadata: facts.metadata,
    agentName: facts.agentName,
    state: buildJobState(facts.state),
    enableRecording: facts.enableRecording ?? false,
    deployment: facts.deployment ?? "",
    attributes: facts.attributes ?? {},
    enableRedaction: facts.enableRedaction ?? false,
  });
}

function buildJobState(facts: JobStateFacts): JobState {
  return JobState.create({
    status: facts.status,
    error: facts.error ?? "",
    startedAt: facts.startedAtNs ?? 0n,
    endedAt: facts.endedAtNs ?? 0n,
    updatedAt: facts.updatedAtNs ?? 0n,
    participantIdentity: facts.participantIdentity ?? "",
    workerId: facts.workerId ?? "",
    agentId: facts.agentId ?? "",
  });
}

export function jobTypeNumber(type: JobType): number {
  const number = JOB_TYPES.indexOf(type);
  invariant(number !== -1, "job type without a number on the wire");
  return number;
}

/** undefined = a number that is no job type; who sent it is refused. */
export function jobTypeFromNumber(number: number): JobType | undefined {
  return JOB_TYPES[number];
}

export function encodeJob(job: Job): Uint8Array {
  return Job.encode(job).finish();
}

export function decodeJob(bytes: Uint8Array): Job {
  return decodeProtobuf("job", () => Job.decode(WireReader.untrusted(bytes)));
}

export function encodeRoom(room: Partial<Room>): Uint8Array {
  return Room.encode(room).finish();
}

/** @throws DispatchError `malformed` */
export function decodeRoom(bytes: Uint8Array): Room {
  return decodeProtobuf("room", () => Room.decode(WireReader.untrusted(bytes)));
}

export function encodeParticipant(participant: Partial<ParticipantInfo>): Uint8Array {
  return ParticipantInfo.encode(participant).finish();
}

/** @throws DispatchError `malformed` */
export function decodeParticipant(bytes: Uint8Array): ParticipantInfo {
  return decodeProtobuf("participant", () => ParticipantInfo.decode(WireReader.untrusted(bytes)));
}
