/**
 * Looks at one room now, instead of with the next round: LiveKit is asked who is there, and what it says goes into the
 * book and to the room's orders. For whoever has just learnt that somebody in the room may wait for an agent. One look a
 * room at a time, and not more rooms at once than `MOST_AT_ONCE`; what is not looked at here is left to the rounds.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { CallBreaker } from "@muster/livekit/call-breaker";
import type { RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { askOfRoom } from "./book/ask-of-room.js";
import type { RoomIntake } from "./book/room-intake.js";
import { OneAtATime } from "./one-at-a-time.js";

export interface RoomLooksDeps {
  ledger: Pick<Ledger, "readRoom">;
  /** undefined: LiveKit cannot be asked. */
  roomService: Pick<RoomService, "listRooms" | "listParticipants"> | undefined;
  breaker: CallBreaker;
  intake: RoomIntake;
  clock: Clock;
  log: Log;
}

const MOST_AT_ONCE = 32;

export class RoomLooks {
  readonly #deps: RoomLooksDeps;
  readonly #looks = new OneAtATime<boolean>((room) => this.#look(room));

  constructor(deps: RoomLooksDeps) {
    this.#deps = deps;
  }

  /** False: LiveKit did not say, and the next round looks. Never rejects. */
  async look(room: string): Promise<boolean> {
    if (this.#deps.roomService === undefined || this.#looks.size >= MOST_AT_ONCE) return false;
    return this.#looks.run(room);
  }

  settled(): Promise<void> {
    return this.#looks.settled();
  }

  async #look(room: string): Promise<boolean> {
    const { ledger, roomService, breaker, intake, clock, log } = this.#deps;
    if (roomService === undefined || !breaker.allows()) return false;
    let facts: Awaited<ReturnType<typeof askOfRoom>>;
    try {
      facts = await askOfRoom({ ledger, roomService, room, nowMs: clock.now() });
      breaker.succeeded();
    } catch (error) {
      breaker.failed();
      log.warn({ error: String(error) }, "LiveKit did not say who is in a room; the next round looks at it");
      return false;
    }
    try {
      for (const one of facts) await intake.take(one);
      return true;
    } catch (error) {
      log.warn({ error: String(error) }, "a room was not looked at; the next round does");
      return false;
    }
  }
}
