/**
 * What the room of a new order is at this moment, so that its agent is told what livekit-server would tell it: the Room
 * message with sid, metadata and counts. LiveKit is asked first, since no webhook says that metadata changed; while it
 * does not answer, the room book stands in. Never rejects, and never takes longer than `ASK_MS` and one look at the book:
 * an order does not wait for a LiveKit that hangs.
 */

import { within } from "@muster/actor/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { CallBreaker } from "@muster/livekit/call-breaker";
import { roomFactsOf } from "@muster/livekit/facts";
import { LivekitError } from "@muster/livekit/livekit-error";
import type { RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Room } from "@muster/wire/generated/livekit";
import type { ApiMetrics } from "../../metrics.js";
import { OneAtATime } from "../one-at-a-time.js";

export interface KnownRoomsDeps {
  ledger: Pick<Ledger, "readRoom">;
  /** undefined: LiveKit cannot be asked. */
  roomService: Pick<RoomService, "listRooms"> | undefined;
  breaker: CallBreaker;
  metrics: Pick<ApiMetrics, "orderRoomKnown">;
  clock: Clock;
  log: Log;
}

export type KnownRoom =
  /** `room` is there when LiveKit itself said so just now. */
  | { status: "live"; sid: string; info: string; infoAtMs: number; room?: Room }
  /** LiveKit said just now that there is no such room. */
  | { status: "absent"; askedAtMs: number }
  | { status: "unknown" };

/** How long an order waits for what LiveKit says, at most. */
export const ASK_MS = 100;
const UNKNOWN: KnownRoom = { status: "unknown" };

export class KnownRooms {
  readonly #deps: KnownRoomsDeps;
  readonly #questions = new OneAtATime<KnownRoom | undefined>((room) => this.#ask(room));
  #hasHeard = false;

  constructor(deps: KnownRoomsDeps) {
    this.#deps = deps;
  }

  /** A webhook came: from now on the book is worth a look where LiveKit cannot be asked. */
  heard(): void {
    this.#hasHeard = true;
  }

  async of(room: string): Promise<KnownRoom> {
    const { roomService, metrics, clock } = this.#deps;
    if (roomService === undefined && !this.#hasHeard) return UNKNOWN;
    const answer = roomService && (await within(clock, ASK_MS, this.#questions.run(room)));
    const asked = answer?.late === false ? answer.value : undefined;
    const known = asked ?? (await this.#inBook(room));
    metrics.orderRoomKnown(asked === undefined ? (known.status === "live" ? "book" : "nobody") : "livekit");
    return known;
  }

  /** undefined: LiveKit did not say. */
  async #ask(name: string): Promise<KnownRoom | undefined> {
    const { roomService, breaker, clock } = this.#deps;
    if (roomService === undefined || !breaker.allows()) return undefined;
    const askedAtMs = clock.now();
    try {
      const [room] = await roomService.listRooms([name], { overallMs: ASK_MS });
      breaker.succeeded();
      if (room === undefined) return { status: "absent", askedAtMs };
      const { sid, info } = roomFactsOf(room, undefined, askedAtMs);
      return { status: "live", sid, info, infoAtMs: askedAtMs, room };
    } catch (error) {
      // It does answer, whatever it has against this name.
      if (error instanceof LivekitError && error.code === "invalid_argument") breaker.succeeded();
      else breaker.failed();
      return undefined;
    }
  }

  async #inBook(room: string): Promise<KnownRoom> {
    const { ledger, log } = this.#deps;
    try {
      const reply = await ledger.readRoom({ room, cursor: "0", limit: 1 });
      if (reply.status === "unknown" || reply.live === 0) return UNKNOWN;
      return { status: "live", sid: reply.sid, info: reply.info, infoAtMs: reply.infoAt };
    } catch (error) {
      log.warn({ error: String(error) }, "the room book was not read; an order is made without its room");
      return UNKNOWN;
    }
  }
}
