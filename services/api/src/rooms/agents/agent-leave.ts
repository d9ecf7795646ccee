/**
 * What it says of a job that its agent left the room, by LiveKit's DisconnectReason. Who was put out by its own next
 * connection, or is being moved to another node, has not left.
 */

export type AgentLeave = "clean" | "failed" | "unknown" | "not_gone";

const NOT_GONE = new Set(["DUPLICATE_IDENTITY", "MIGRATION"]);
const CLEAN = new Set(["CLIENT_INITIATED", "PARTICIPANT_REMOVED", "ROOM_DELETED", "ROOM_CLOSED"]);
const NOT_SAID = new Set(["", "UNKNOWN_REASON"]);
/** Of a newer LiveKit, which has reasons that are not known here. */
const IS_NUMBER = /^\d+$/;

export function agentLeave(reason: string): AgentLeave {
  if (NOT_GONE.has(reason)) return "not_gone";
  if (CLEAN.has(reason)) return "clean";
  return NOT_SAID.has(reason) || IS_NUMBER.test(reason) ? "unknown" : "failed";
}
