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
import type { Room } from "@muster/wire/generated/livekit";
import type { RoomOrders } from "../../room-orders.js";
import type { RoomIntake } from "../book/room-intake.js";
import type { KnownRoom } from "./known-rooms.js";
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
/** What LiveKit said of a room is not asked again for so long. */
const FRESH_MS = 1_000;

/** A room that somebody waits for in this process. */
interface Wish {
  untilMs: number;
  known: KnownRoom | undefined;
}

export class MissingRooms {
  readonly #deps: MissingRoomsDeps;
  /** By name, in order of arrival. */
  readonly #waiting = new Map<string, Wish>();
  /** By name, who is told once the room is there. */
  readonly #told = new Map<string, ((room: Room | undefined) => void)[]>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();
  /** So that a LiveKit that is away is one line in the log, not one an order. */
  #isFailing = false;

  constructor(deps: MissingRoomsDeps) {
    this.#deps = deps;
  }

  /**
   * An order waits for this room, for `waitMs` at most. Resolves when that cannot be lost; the room comes later. `known`: what
   * LiveKit said of it just now, so that it need not be asked again.
   */
  async want(room: string, waitMs: number, known?: KnownRoom): Promise<void> {
    const { wanted, clock } = this.#deps;
    const untilMs = clock.now() + waitMs;
    await wanted.add({ room, untilMs });
    this.#begin(room, { untilMs, known });
  }

  /** The room that is wanted, once LiveKit has it; undefined when it could not be made now. */
  made(room: string): Promise<Room | undefined> {
    if (!this.#waiting.has(room) && !this.#underWay.has(room)) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#told.set(room, [...(this.#told.get(room) ?? []), resolve]));
  }

  /** One look at the list: what is still waited for is tried again, and not waited for here. */
  async makeUp(): Promise<void> {
    const { wanted, clock } = this.#deps;
    for (const listed of await wanted.list(clock.now(), LISTED_PER_ROUND)) {
      if (this.#waiting.has(listed.room) || this.#underWay.has(listed.room)) continue;
      if (await this.#isWaitedFor(listed.room))
        this.#begin(listed.room, { untilMs: listed.untilMs, known: undefined });
      else await wanted.remove(listed.room);
    }
  }

  /** What is on the list is for the next api. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#giveUpAll();
    await Promise.all(this.#underWay.values());
  }

  #begin(room: string, wish: Wish): void {
    if (this.#stopped.signal.aborted || this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.set(room, wish);
    this.#next();
  }

  #tell(name: string, room: Room | undefined): void {
    const told = this.#told.get(name) ?? [];
    this.#told.delete(name);
    for (const tell of told) tell(room);
  }

  #giveUpAll(): void {
    const names = [...this.#waiting.keys()];
    this.#waiting.clear();
    for (const name of names) if (!this.#underWay.has(name)) this.#tell(name, undefined);
  }

  #next(): void {
    for (const [room, wish] of this.#waiting) {
      if (this.#underWay.size >= MOST_AT_ONCE) return;
      if (this.#underWay.has(room)) continue;
      this.#waiting.delete(room);
      const making = this.#make({ room, untilMs: wish.untilMs }, wish.known).finally(() => {
        this.#underWay.delete(room);
        if (!this.#waiting.has(room)) this.#tell(room, undefined);
        this.#next();
      });
      this.#underWay.set(room, making);
    }
  }

  async #make(wantedRoom: WantedRoom, known: KnownRoom | undefined): Promise<void> {
    const { wanted, intake, clock, log } = this.#deps;
    try {
      const { room, askedAtMs } = await this.#found(wantedRoom, freshOf(known, clock.now()));
      this.#tell(wantedRoom.room, room);
      await intake.take(roomFactsOf(room, undefined, askedAtMs));
      await wanted.remove(wantedRoom.room);
      if (this.#isFailing) log.info({}, "rooms are created again");
      this.#isFailing = false;
    } catch (error) {
      if (error instanceof LivekitError && error.code === "invalid_argument")
        return this.#giveUp(wantedRoom.room, error);
      // Who comes after it would meet the same.
      this.#giveUpAll();
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

  async #found({ room: name }: WantedRoom, known: KnownRoom | undefined) {
    const { roomService, clock } = this.#deps;
    const { signal } = this.#stopped;
    if (known?.status === "live" && known.room !== undefined)
      return { room: known.room, askedAtMs: known.infoAtMs };
    let askedAtMs = clock.now();
    const [live] = known?.status === "absent" ? [] : await roomService.listRooms([name], { signal });
    if (live !== undefined) return { room: live, askedAtMs };
    askedAtMs = clock.now();
    return { room: await roomService.createRoom({ name }, { signal }), askedAtMs };
  }

  /** Deleted, ended, or bound to a life of the room meanwhile: then nobody waits for another. */
  async #isWaitedFor(room: string): Promise<boolean> {
    const { orders, projects } = this.#deps;
    const found = await Promise.all(projects.map((project) => orders.find({ project, room, order: "" })));
    return found.flat(2).some(({ order }) => order.state === "live" && order.roomSid === "");
  }
}

function freshOf(known: KnownRoom | undefined, nowMs: number): KnownRoom | undefined {
  if (known === undefined || known.status === "unknown") return undefined;
  const saidAtMs = known.status === "live" ? known.infoAtMs : known.askedAtMs;
  return nowMs - saidAtMs < FRESH_MS ? known : undefined;
}
