/**
 * Frames of the agent protocol, binary and JSON, to and from typed messages. What arrives is bounded and refused as
 * DispatchError `malformed` (or `too_large`); what leaves is always well formed. What a message *means* is not known here.
 *
 * A frame whose kind is not known decodes to `unknown`, and so does an empty one: newer workers may say more.
 */

import { assertNever } from "@muster/domain/assert";
import { MAX_FRAME_BYTES } from "@muster/domain/limits";
import * as livekit from "./generated/livekit.js";
import { ServerMessageSchema, WorkerMessageSchema } from "./generated/livekit-schema.js";
import { fromJson } from "./json/from-json.js";
import { parseExactJson } from "./json/parse-exact.js";
import { AGENT_JSON, toJson } from "./json/to-json.js";
import { WireReader } from "./protobuf-runtime.js";
import { decodeProtobuf, refuseTooLarge } from "./refuse.js";

export type WorkerMessage =
  | { case: "register"; value: livekit.RegisterWorkerRequest }
  | { case: "availability"; value: livekit.AvailabilityResponse }
  | { case: "updateWorker"; value: livekit.UpdateWorkerStatus }
  | { case: "updateJob"; value: livekit.UpdateJobStatus }
  | { case: "ping"; value: livekit.WorkerPing }
  | { case: "simulateJob"; value: livekit.SimulateJobRequest }
  | { case: "migrateJob"; value: livekit.MigrateJobRequest }
  | { case: "unknown" };

export type ServerMessage =
  | { case: "register"; value: livekit.RegisterWorkerResponse }
  | { case: "availability"; value: livekit.AvailabilityRequest }
  | { case: "assignment"; value: livekit.JobAssignment }
  | { case: "termination"; value: livekit.JobTermination }
  | { case: "pong"; value: livekit.WorkerPong }
  | { case: "unknown" };

/** The same message with fields that may be left out, for who plays the worker. */
export type WorkerMessageDraft = DraftOf<WorkerMessage>;
type DraftOf<M> = M extends { case: infer C; value: infer V } ? { case: C; value: Partial<V> } : never;

/** `unknown` cannot be sent. */
export type SendableServerMessage = Exclude<ServerMessage, { case: "unknown" }>;

/** @throws DispatchError `malformed` or `too_large` */
export function decodeWorkerMessage(frame: Uint8Array): WorkerMessage {
  return workerMessageOf(decodeFrame(livekit.WorkerMessage, frame));
}

/** @throws DispatchError `malformed` with the field's path ("register.agentName"), or `too_large` */
export function decodeWorkerMessageJson(text: string): WorkerMessage {
  return workerMessageOf(fromJson(WorkerMessageSchema, parseFrame(text), { path: "", source: "client" }));
}

export function encodeServerMessage(message: SendableServerMessage): Uint8Array {
  return livekit.ServerMessage.encode({ [message.case]: message.value }).finish();
}

/** As livekit-server answers a worker that sent text: proto3 JSON in camelCase, zero values left out. */
export function encodeServerMessageJson(message: SendableServerMessage): string {
  return JSON.stringify(toJson(ServerMessageSchema, { [message.case]: message.value }, AGENT_JSON));
}

export function encodeWorkerMessage(message: WorkerMessageDraft): Uint8Array {
  return livekit.WorkerMessage.encode({ [message.case]: message.value }).finish();
}

export function encodeWorkerMessageJson(message: WorkerMessageDraft): string {
  return JSON.stringify(toJson(WorkerMessageSchema, { [message.case]: message.value }, AGENT_JSON));
}

/** @throws DispatchError `malformed` or `too_large` */
export function decodeServerMessage(frame: Uint8Array): ServerMessage {
  return serverMessageOf(decodeFrame(livekit.ServerMessage, frame));
}

/** @throws DispatchError `malformed` or `too_large` */
export function decodeServerMessageJson(text: string): ServerMessage {
  return serverMessageOf(fromJson(ServerMessageSchema, parseFrame(text), { path: "", source: "livekit" }));
}

function decodeFrame<T>(codec: { decode(reader: WireReader): T }, frame: Uint8Array): T {
  refuseTooLarge(frame.byteLength, MAX_FRAME_BYTES, "frame");
  return decodeProtobuf("frame", () => codec.decode(WireReader.untrusted(frame)));
}

function parseFrame(text: string): unknown {
  // UTF-16 units, of which there are never more than bytes; the transport counts the bytes.
  refuseTooLarge(text.length, MAX_FRAME_BYTES, "frame");
  return parseExactJson(text, "frame");
}

// Spelled out case by case: the compiler then sees that kind and value belong together, and that none is forgotten.

function workerMessageOf(message: livekit.WorkerMessage): WorkerMessage {
  const kind = message.message;
  switch (kind) {
    case "register":
      return known(kind, message[kind]);
    case "availability":
      return known(kind, message[kind]);
    case "updateWorker":
      return known(kind, message[kind]);
    case "updateJob":
      return known(kind, message[kind]);
    case "ping":
      return known(kind, message[kind]);
    case "simulateJob":
      return known(kind, message[kind]);
    case "migrateJob":
      return known(kind, message[kind]);
    case undefined:
      return { case: "unknown" };
    default:
      return assertNever(kind, "worker message");
  }
}

function serverMessageOf(message: livekit.ServerMessage): ServerMessage {
  const kind = message.message;
  switch (kind) {
    case "register":
      return known(kind, message[kind]);
    case "availability":
      return known(kind, message[kind]);
    case "assignment":
      return known(kind, message[kind]);
    case "termination":
      return known(kind, message[kind]);
    case "pong":
      return known(kind, message[kind]);
    case undefined:
      return { case: "unknown" };
    default:
      return assertNever(kind, "server message");
  }
}

function known<C extends string, V>(kind: C, value: V | null): { case: C; value: V } {
  // The getter of the oneof named this field because it is set.
  return { case: kind, value: value as V };
}
