/**
 * Presence by what LiveKit says: the room book, which webhooks fill, and RoomService where one is configured. That an
 * agent left is believed of either; that it is there is asked of RoomService, since a webhook can be lost for good. Rows
 * of a crashed node can say "present" for ever: the bound on an orphan ends that, not this.
 */

import { createLedger, type Ledger } from "@muster/ledger/ledger";
import type { RoomService } from "@muster/livekit/room-service";
import { type LivekitSettings, roomServiceOf } from "@muster/livekit/settings";
import type { Clock } from "@muster/runtime/clock";
import type { RedisClient } from "@muster/runtime/redis/connect";
import type { Presence, PresenceQuestion, PresenceVerdict } from "./presence.js";

/** As a process is configured. */
export function roomPresence(deps: { redis: RedisClient; livekit: LivekitSettings; clock: Clock }): Presence {
  const { redis, livekit, clock } = deps;
  return new RoomPresence({ ledger: createLedger(redis), roomService: roomServiceOf(livekit, clock) });
}

export interface RoomPresenceDeps {
  ledger: Pick<Ledger, "findPerson">;
  /** Absent: only webhooks tell. */
  roomService?: Pick<RoomService, "getParticipant"> | undefined;
}

/** Put out by its own next connection, or on its way to another node: whether that one came is not said by it. */
const NOT_GONE = new Set(["DUPLICATE_IDENTITY", "MIGRATION"]);

export class RoomPresence implements Presence {
  readonly #deps: RoomPresenceDeps;

  constructor(deps: RoomPresenceDeps) {
    this.#deps = deps;
  }

  async ask(question: PresenceQuestion): Promise<PresenceVerdict> {
    const told = await this.#told(question);
    if (told === "absent") return "absent";
    const { roomService } = this.#deps;
    if (roomService === undefined || question.agentIdentity === "") return told;
    const found = await roomService.getParticipant(question.room, question.agentIdentity);
    return found === undefined ? "absent" : "present";
  }

  /** What webhooks told. A room that they never spoke of, or of whose next life they did not tell yet, says nothing. */
  async #told({ room, participantSid }: PresenceQuestion): Promise<PresenceVerdict> {
    if (participantSid === "") return "unknown";
    const reply = await this.#deps.ledger.findPerson({ room, sid: participantSid });
    switch (reply.status) {
      case "here":
        return "present";
      case "left":
        return NOT_GONE.has(reply.reason) ? "unknown" : "absent";
      case "room_over":
        return "absent";
      case "unknown":
        return "unknown";
    }
  }
}
