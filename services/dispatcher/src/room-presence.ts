/**
 * Presence by what LiveKit says: the room book, which webhooks fill, and RoomService where one is configured. That an
 * agent left is believed of either; that it is there is asked of RoomService, since a webhook can be lost for good. Rows
 * of a crashed node can say "present" for ever: the bound on an orphan ends that, not this. While RoomService is away,
 * what webhooks said counts.
 */

import { REJOIN_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import { LivekitError } from "@muster/livekit/livekit-error";
import type { RoomService } from "@muster/livekit/room-service";
import { ParticipantInfo_Kind, ParticipantInfo_State } from "@muster/wire/generated/livekit";
import type { Presence, PresenceQuestion, PresenceVerdict } from "./presence.js";

type Asked = Pick<RoomService, "getParticipant" | "listParticipants">;

export interface RoomPresenceDeps {
  ledger: Pick<Ledger, "findPerson" | "findCompany">;
  /** Absent: only webhooks tell. */
  roomService?: Asked | undefined;
}

/** Put out by its own next connection, or on its way to another node: whether that one came is not said by it. */
const NOT_GONE = new Set(["DUPLICATE_IDENTITY", "MIGRATION"]);
/** Within what presence may take, so that there is time for the answer of webhooks. */
const CALL = { overallMs: 1_500 };
/** Participants read from the book in one call. */
const PEOPLE_AT_ONCE = 500;

export class RoomPresence implements Presence {
  readonly #deps: RoomPresenceDeps;

  constructor(deps: RoomPresenceDeps) {
    this.#deps = deps;
  }

  async ask(question: PresenceQuestion): Promise<PresenceVerdict> {
    const { room, agentIdentity } = question;
    const told = await this.#told(question);
    if (told === "absent" || agentIdentity === "") return told;
    return this.#askedOr(told, async (roomService) => {
      const found = await roomService.getParticipant(room, agentIdentity, CALL);
      return found === undefined ? "absent" : "present";
    });
  }

  async isDeserted(room: string): Promise<boolean> {
    if (!(await this.#isToldDeserted(room))) return false;
    if (this.#deps.roomService === undefined) return true;
    // That somebody came can have been lost, and to end the job then would leave them alone.
    return this.#askedOr(false, async (roomService) => {
      const people = await roomService.listParticipants(room, CALL);
      return people.every(
        ({ kind, state }) =>
          state === ParticipantInfo_State.DISCONNECTED ||
          kind === ParticipantInfo_Kind.AGENT ||
          kind === ParticipantInfo_Kind.EGRESS,
      );
    });
  }

  /** What RoomService says, or `otherwise` when it cannot be asked. */
  async #askedOr<T>(otherwise: T, ask: (roomService: Asked) => Promise<T>): Promise<T> {
    const { roomService } = this.#deps;
    if (roomService === undefined) return otherwise;
    try {
      return await ask(roomService);
    } catch (error) {
      if (error instanceof LivekitError) return otherwise;
      throw error;
    }
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

  async #isToldDeserted(room: string): Promise<boolean> {
    const { ledger } = this.#deps;
    let gone = 0;
    for (let cursor = ""; cursor !== "0"; ) {
      const page = { cursor: cursor === "" ? "0" : cursor, limit: PEOPLE_AT_ONCE };
      const reply = await ledger.findCompany({ room, ...page, rejoinMs: REJOIN_MS });
      if (reply.status === "unknown" || reply.here > 0) return false;
      gone += reply.gone;
      cursor = reply.next;
    }
    return gone > 0;
  }
}
