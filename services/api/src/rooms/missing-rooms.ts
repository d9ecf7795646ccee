/**
 * Creates the room of an order when it is not there, so that whoever is to come finds its agent waiting. Nobody waits for
 * that: neither the caller's answer nor the offer.
 *
 * 1. The order is made. Died after it: nobody was answered, and the repeat goes on.
 * 2. Its room is on the list of wanted ones; only then the caller is answered. Died after it: the next round goes on.
 * 3. LiveKit is asked whether the room is there, and else to make it. Died after it: the next round finds it there.
 * 4. What LiveKit answered is taken in like any other word on a room, which binds the order. Died after it: the next round
 *    finds the room there.
 * 5. It is off the list. While LiveKit is away it stays there, and the rounds try again until nobody waits any more. Not so
 *    one that LiveKit does not take, as it does not take a name as long as ours may be: it holds up no other.
 *
 * The room has livekit-server's own time-outs: it cannot change those of a room that lives, and an agent that is alone in it
 * has to be out after them. One that closes while its order waits is made again (reopen-rooms.ts).
 * Must never ask for a room that exists to be made: where its node is gone, that changes its settings.
 */

import { roomFactsOf } from "@muster/livekit/facts";
import { LivekitError } from "@muster/livekit/livekit-error";
import type { RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RoomOrders } from "../room-orders.js";
import type { RoomIntake } from "./room-intake.js";
import type { WantedRoom, WantedRooms } from "./wanted-rooms.js";

export interface MissingRoomsDeps {
  roomService: Pick<RoomService, "listRooms" | "createRoom">;
  wanted: WantedRooms;
  orders: Pick<RoomOrders, "find">;
  /** Whose orders may be for a room. */
  projects: readonly string[];
  intake: RoomIntake;
  clock: Clock;
  log: Log;
}

/** A little less than what RoomService takes at a time, so that the rounds' own questions have a place too. */
const MOST_AT_ONCE = 4;
/** Above this the rounds bring them. */
const MOST_WAITING = 10_000;
const LISTED_PER_ROUND = 1_000;

export class MissingRooms {
  readonly #deps: MissingRoomsDeps;
  /** By name, until when it is wanted; in order of arrival. */
  readonly #waiting = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();
  /** So that a LiveKit that is away is one line in the log, not one an order. */
  #isFailing = false;

  constructor(deps: MissingRoomsDeps) {
    this.#deps = deps;
  }

  /** An order waits for this room, for `waitMs` at most. Resolves when that cannot be lost; the room comes later. */
  async want(room: string, waitMs: number): Promise<void> {
    const { wanted, clock } = this.#deps;
    const untilMs = clock.now() + waitMs;
    await wanted.add({ room, untilMs });
    this.#begin({ room, untilMs });
  }

  /** One look at the list: what is still waited for is tried again, and not waited for here. */
  async makeUp(): Promise<void> {
    const { wanted, clock } = this.#deps;
    for (const listed of await wanted.list(clock.now(), LISTED_PER_ROUND)) {
      if (this.#waiting.has(listed.room) || this.#underWay.has(listed.room)) continue;
      if (await this.#isWaitedFor(listed.room)) this.#begin(listed);
      else await wanted.remove(listed.room);
    }
  }

  /** What is on the list is for the next api. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#waiting.clear();
    await Promise.all(this.#underWay.values());
  }

  #begin({ room, untilMs }: WantedRoom): void {
    if (this.#stopped.signal.aborted || this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.set(room, untilMs);
    this.#next();
  }

  #next(): void {
    for (const [room, untilMs] of this.#waiting) {
      if (this.#underWay.size >= MOST_AT_ONCE) return;
      if (this.#underWay.has(room)) continue;
      this.#waiting.delete(room);
      const making = this.#make({ room, untilMs }).finally(() => {
        this.#underWay.delete(room);
        this.#next();
      });
      this.#underWay.set(room, making);
    }
  }

  async #make(wantedRoom: WantedRoom): Promise<void> {
    const { wanted, intake, clock, log } = this.#deps;
    try {
      const askedAtMs = clock.now();
      const room = await this.#found(wantedRoom);
      await intake.take(roomFactsOf(room, undefined, askedAtMs));
      await wanted.remove(wantedRoom.room);
      if (this.#isFailing) log.info({}, "rooms are created again");
      this.#isFailing = false;
    } catch (error) {
      if (error instanceof LivekitError && error.code === "invalid_argument")
        return this.#giveUp(wantedRoom.room, error);
      // Who comes after it would meet the same.
      this.#waiting.clear();
      if (this.#stopped.signal.aborted || this.#isFailing) return;
      this.#isFailing = true;
      log.warn(
        { error: String(error) },
        "the room of an order could not be created; each round tries again, and the order waits for it",
      );
    }
  }

  async #giveUp(room: string, error: LivekitError): Promise<void> {
    const { wanted, log } = this.#deps;
    log.warn(
      { error: String(error) },
      "LiveKit refuses to make the room of an order; the order waits for somebody else to make it, or ends with its wait",
    );
    await wanted.remove(room).catch((failure: unknown) => {
      log.warn(
        { error: String(failure) },
        "a room that LiveKit refuses is still listed; the next round asks again",
      );
    });
  }

  async #found({ room }: WantedRoom) {
    const { roomService } = this.#deps;
    const { signal } = this.#stopped;
    const [live] = await roomService.listRooms([room], { signal });
    if (live !== undefined) return live;
    return roomService.createRoom({ name: room }, { signal });
  }

  /** Deleted, ended, or bound to a life of the room meanwhile: then nobody waits for another. */
  async #isWaitedFor(room: string): Promise<boolean> {
    const { orders, projects } = this.#deps;
    const found = await Promise.all(projects.map((project) => orders.find({ project, room, order: "" })));
    return found.flat(2).some(({ order }) => order.state === "live" && order.roomSid === "");
  }
}
