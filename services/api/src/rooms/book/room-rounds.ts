/**
 * Looks after rooms whose events were lost: livekit-server drops a webhook after 30 s, and whoever was told may have died
 * before acting on it. Every `everyMs`, and at start, one api compares the book with what RoomService says and brings
 * the orders in line; without a RoomService it only brings them in line with the book. First it has rooms made that orders
 * wait for and nobody made.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { FollowRules } from "../../rules/follow-rules.js";
import type { AdoptDispatches } from "../adoption/adopt-dispatches.js";
import type { MissingRooms } from "../making/missing-rooms.js";
import type { RoomReconciler } from "../reconcile-room.js";
import { askOfRoom } from "./ask-of-room.js";
import type { LiveRooms } from "./live-rooms.js";
import type { RoomIntake } from "./room-intake.js";

export interface RoomRoundsDeps {
  ledger: Pick<Ledger, "readRoom">;
  roomService: RoomService | undefined;
  rooms: LiveRooms;
  intake: RoomIntake;
  reconciler: RoomReconciler;
  adopt: Pick<AdoptDispatches, "look">;
  rules: Pick<FollowRules, "look">;
  /** undefined: rooms are not created. */
  missingRooms: Pick<MissingRooms, "makeUp"> | undefined;
  clock: Clock;
  log: Log;
  everyMs: number;
}

/** RoomService bounds its own calls; this bounds what waits for them. */
const ROOMS_AT_ONCE = 8;
/** A little less than the pace, so that whoever had the last turn may have the next. */
const LEASE_SHARE = 0.9;

export class RoomRounds {
  readonly #deps: RoomRoundsDeps;
  #cancel = (): void => {};
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(deps: RoomRoundsDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#running;
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    const { clock, everyMs } = this.#deps;
    this.#cancel = clock.setTimer(delayMs, () => {
      this.#running = this.#round().then(() => this.#schedule(everyMs));
    });
  }

  async #round(): Promise<void> {
    const { rooms, roomService, missingRooms, clock, everyMs, log } = this.#deps;
    try {
      if (!(await rooms.takeRound(Math.round(everyMs * LEASE_SHARE)))) return;
      await missingRooms?.makeUp();
      const listed = (await roomService?.listRooms()) ?? [];
      const names = [...new Set([...(await rooms.list(clock.now())), ...listed.map(({ name }) => name)])];
      for (let first = 0; first < names.length && !this.#isStopped; first += ROOMS_AT_ONCE) {
        await Promise.all(names.slice(first, first + ROOMS_AT_ONCE).map((name) => this.#lookAt(name)));
      }
    } catch (error) {
      log.warn({ error: String(error) }, "rooms were not looked after; trying again with the next round");
    }
  }

  async #lookAt(room: string): Promise<void> {
    const { ledger, roomService, rooms, clock, intake, reconciler, adopt, rules, log } = this.#deps;
    try {
      if (roomService !== undefined) {
        for (const facts of await askOfRoom({ ledger, roomService, room, nowMs: clock.now() })) {
          await intake.take(facts);
          if (!facts.isOver) await adopt.look(room, facts.sid);
        }
      }
      const { isLive, life } = await reconciler.room(room);
      if (!isLive) await rooms.note(room, false, clock.now());
      else if (life !== undefined) await rules.look({ room, ...life });
    } catch (error) {
      log.warn({ error: String(error) }, "a room was not looked at; trying again with the next round");
    }
  }
}
