/**
 * Has a room made again that closed while an order still waits for it, and nobody had come: rooms that Muster makes have
 * livekit-server's own time-outs. livekit-server tells of the end before its list does; until the life that is over is off
 * the list, nothing may be made.
 *
 * 1. The room is on the list of wanted ones. Died after it: the next round makes it. 2. LiveKit's list is asked until that
 * life is gone. 3. It is wanted like the room of a new order (missing-rooms.ts). A LiveKit that does not let go of it (its
 * node is gone) is left to the rounds.
 */

import type { RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { MissingRooms } from "./missing-rooms.js";
import type { WantedRooms } from "./wanted-rooms.js";

export interface ReopenRoomsDeps {
  roomService: Pick<RoomService, "listRooms">;
  wanted: Pick<WantedRooms, "add">;
  missingRooms: Pick<MissingRooms, "want">;
  clock: Clock;
  log: Log;
}

export interface ClosedRoom {
  room: string;
  /** Of the life that is over. */
  sid: string;
  /** How long an order waits for the room, at most. */
  waitMs: number;
}

const ASK_EVERY_MS = 200;
const MOST_ASKED = 10;
/** Above this the rounds make them. */
const MOST_AT_ONCE = 64;

export class ReopenRooms {
  readonly #deps: ReopenRoomsDeps;
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(deps: ReopenRoomsDeps) {
    this.#deps = deps;
  }

  /** Resolves when that cannot be lost; the room comes later. */
  async want(closed: ClosedRoom): Promise<void> {
    const { wanted, clock } = this.#deps;
    await wanted.add({ room: closed.room, untilMs: clock.now() + closed.waitMs });
    const isEnough = this.#underWay.has(closed.room) || this.#underWay.size >= MOST_AT_ONCE;
    if (isEnough || this.#stopped.signal.aborted) return;
    const reopening = this.#reopen(closed).finally(() => this.#underWay.delete(closed.room));
    this.#underWay.set(closed.room, reopening);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#underWay.values());
  }

  async #reopen({ room, sid, waitMs }: ClosedRoom): Promise<void> {
    const { missingRooms, log } = this.#deps;
    try {
      for (let asked = 0; asked < MOST_ASKED && (await this.#isListed(room, sid)); asked++)
        await this.#pause();
      if (!this.#stopped.signal.aborted) await missingRooms.want(room, waitMs);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      log.warn(
        { error: String(error) },
        "a room that closed too early was not made again; the next round does",
      );
    }
  }

  async #isListed(room: string, sid: string): Promise<boolean> {
    const { signal } = this.#stopped;
    const [live] = await this.#deps.roomService.listRooms([room], { signal });
    return live?.sid === sid;
  }

  async #pause(): Promise<void> {
    const { signal } = this.#stopped;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.#deps.clock.setTimer(ASK_EVERY_MS, done);
      signal.addEventListener("abort", done);
    });
  }
}
