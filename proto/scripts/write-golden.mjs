/**
 * Writes proto/golden/*.bin: each sample as @livekit/protocol, LiveKit's own implementation, encodes it. Nothing of ours
 * takes part, so the vectors can tell when ours differs.
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  CreateAgentDispatchRequest,
  CreateRoomRequest,
  DeleteAgentDispatchRequest,
  Job,
  ListAgentDispatchRequest,
  ListAgentDispatchResponse,
  ListParticipantsRequest,
  ListParticipantsResponse,
  ListRoomsRequest,
  ListRoomsResponse,
  ParticipantInfo,
  Room,
  RoomParticipantIdentity,
  ServerMessage,
  WebhookEvent,
  WorkerMessage,
} from "@livekit/protocol";
import { SAMPLES } from "./golden-samples.mjs";

export const GOLDEN_FOLDER = join(dirname(fileURLToPath(import.meta.url)), "../golden");

const TYPES = {
  CreateAgentDispatchRequest,
  CreateRoomRequest,
  DeleteAgentDispatchRequest,
  Job,
  ListAgentDispatchRequest,
  ListAgentDispatchResponse,
  ListParticipantsRequest,
  ListParticipantsResponse,
  ListRoomsRequest,
  ListRoomsResponse,
  ParticipantInfo,
  Room,
  RoomParticipantIdentity,
  ServerMessage,
  WebhookEvent,
  WorkerMessage,
};

/** File name to content. */
export function renderVectors() {
  return new Map(
    SAMPLES.map(({ name, message, json }) => [`${name}.bin`, TYPES[message].fromJson(json).toBinary()]),
  );
}

function main() {
  mkdirSync(GOLDEN_FOLDER, { recursive: true });
  const vectors = renderVectors();
  for (const name of readdirSync(GOLDEN_FOLDER)) {
    if (name.endsWith(".bin") && !vectors.has(name)) rmSync(join(GOLDEN_FOLDER, name));
  }
  for (const [name, bytes] of vectors) writeFileSync(join(GOLDEN_FOLDER, name), bytes);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
