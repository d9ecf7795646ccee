/**
 * The port to whoever knows whether an agent is in its room. Asked for every orphan, whatever its SDK. What it says
 * decides whether a job is given to another worker while the first may still run, so a source that is not sure says
 * "unknown"; it never guesses from silence.
 */

/**
 * absent   the agent's participant is not in the room now: it left, or it has not joined. Before its start deadline an
 *          agent that was never seen may still be on its way in: the ledger takes absence for evidence only after it.
 * present  it is there now.
 * unknown  no source is configured, or none could be asked.
 */
export type PresenceVerdict = "absent" | "present" | "unknown";

export interface PresenceQuestion {
  namespace: string;
  job: string;
  /** Name of the room. */
  room: string;
  /** Identity that the agent's token was minted for; empty when the ledger never heard of it. */
  agentIdentity: string;
  /** Sid under which it was seen to join; empty when it never was. */
  participantSid: string;
}

export interface Presence {
  /** May reject and may take long: whoever asks bounds it and takes both for "unknown". */
  ask(question: PresenceQuestion): Promise<PresenceVerdict>;
  /**
   * True only when somebody was in the room and it is known that nobody but agents is there any more. Where nobody ever
   * was (the agent is to call somebody) it is false, and so it is when nobody knows. May reject, as above.
   */
  isDeserted(room: string): Promise<boolean>;
}

/** No LiveKit is configured: nobody knows. */
export const noPresence: Presence = { ask: async () => "unknown", isDeserted: async () => false };
