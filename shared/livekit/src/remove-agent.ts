/**
 * Puts the agent of a job out of its room. RoomService removes by identity, and an identity says little: a worker may give
 * the same one to all its agents, and a job keeps its own over every holder. So it is asked first who is there, and only
 * who bears the mark of this job, of an epoch that is over, is removed. Nobody else ever is, whatever the identity.
 */

import { agentMarks } from "@muster/wire/agent-token";
import type { RoomService } from "./room-service.js";

export interface FormerAgent {
  readonly room: string;
  readonly identity: string;
  readonly job: string;
  /** The newest epoch that is over. */
  readonly upToEpoch: number;
}

/** `absent`: it is not in the room, whoever may be there under its identity now. `kept`: it cannot be told who that is. */
export type Removal = "removed" | "absent" | "kept";

/** Takes `callMs` twice at most. @throws LivekitError */
export async function removeAgent(
  roomService: Pick<RoomService, "getParticipant" | "removeParticipant">,
  { room, identity, job, upToEpoch }: FormerAgent,
  callMs: number,
): Promise<Removal> {
  const options = { overallMs: callMs };
  const found = await roomService.getParticipant(room, identity, options);
  if (found === undefined) return "absent";
  const marks = agentMarks(found.attributes);
  if (marks === undefined) return "kept";
  if (marks.job !== job || marks.epoch > upToEpoch) return "absent";
  return roomService.removeParticipant(room, identity, options);
}
