/**
 * The port to whoever knows whether an agent is in its room. Asked for every orphan, whatever its SDK, and for jobs whose
 * agent nobody saw. What it says decides whether a job is given to another worker while the first may still run, so a
 * source that is not sure says "unknown"; it never guesses from silence.
 */

/**
 * absent   the agent's participant is not in the room now: it left, or it has not joined. Before its start deadline an
 *          agent that was never seen may still be on its way in: the ledger takes absence for evidence only after it.
 * present  it is there now.
 * unknown  no source is configured, or none could be asked.
 */
export type PresenceVerdict = "absent" | "present" | "unknown";

/**
 * joined   it is in its room, or was.
 * never    it is not there, and had it been there for longer than a moment, that would be known.
 * unknown  neither is known.
 * unasked  whoever knows cannot be asked now, and may say it later.
 */
export type JoinVerdict = "joined" | "never" | "unknown" | "unasked";

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

export interface JoinQuestion extends PresenceQuestion {
  epoch: number;
  /** When the worker accepted, Unix ms. */
  startedAtMs: number;
  /** Until when the agent can have been there, Unix ms. */
  untilMs: number;
  /** Its worker says that the job is over; else the agent should be there now. */
  hasEnded: boolean;
}

export interface Presence {
  /** May reject and may take long: whoever asks bounds it and takes both for "unknown". */
  ask(question: PresenceQuestion): Promise<PresenceVerdict>;
  /** Whether the agent was in its room at any time since its job began. May reject, as above. */
  hasJoined(question: JoinQuestion): Promise<JoinVerdict>;
  /**
   * True only when somebody was in the room and it is known that nobody but agents is there any more. Where nobody ever
   * was (the agent is to call somebody) it is false, and so it is when nobody knows. May reject, as above.
   */
  isDeserted(room: string): Promise<boolean>;
  /** Whether somebody who is no agent is in the room; undefined when nobody knows. May reject, as above. */
  hasCompany(room: string): Promise<boolean | undefined>;
  /** Whether there is a source at all. May reject. */
  isKnown(): Promise<boolean>;
  /** A job was offered: its agent is looked for, where nobody would tell that it joined. Never fails, and is not waited for. */
  watch(namespace: string, job: string, epoch: number): void;
  /** Looks no more. */
  stop(): Promise<void>;
}

/** No LiveKit is configured: nobody knows. */
export const noPresence: Presence = {
  ask: async () => "unknown",
  hasJoined: async () => "unknown",
  isDeserted: async () => false,
  hasCompany: async () => undefined,
  isKnown: async () => false,
  watch: () => {},
  stop: async () => {},
};
