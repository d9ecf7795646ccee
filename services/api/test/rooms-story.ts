/**
 * Stories of a room for property tests: what may happen there, in any order that makes sense, and what is true of it
 * afterwards. Played on LiveKit's stand-in; whoever plays one keeps its own record of who is there.
 */

import type { ParticipantKind } from "@muster/domain/room";
import type { LivekitRooms } from "@muster/test/kit/livekit-stand-in/rooms";
import fc from "fast-check";

const NAMES = ["ann", "ben", "cleo"] as const;
const KINDS = { ann: "standard", ben: "sip", cleo: "agent" } as const satisfies Record<Name, ParticipantKind>;
type Name = (typeof NAMES)[number];

type Step = { verb: "join" | "publish" | "leave" | "rejoin" | "abort"; who: Name } | { verb: "crash" };

/** Each life of the room has steps of its own; what follows the last one is not told of. */
export interface Story {
  lives: Step[][];
  /** The last life ends too. */
  isOver: boolean;
}

export interface Somebody {
  sid: string;
  identity: string;
  kind: ParticipantKind;
  publishes: boolean;
}

const person = (verb: "join" | "publish" | "leave" | "rejoin" | "abort") =>
  fc.record({ verb: fc.constant(verb), who: fc.constantFrom(...NAMES) });

export function stories({ crashes }: { crashes: boolean }): fc.Arbitrary<Story> {
  const step: fc.Arbitrary<Step> = fc.oneof(
    ...[
      { weight: 4, arbitrary: person("join") },
      { weight: 3, arbitrary: person("publish") },
    ],
    ...[
      { weight: 2, arbitrary: person("leave") },
      { weight: 2, arbitrary: person("rejoin") },
    ],
    { weight: 1, arbitrary: person("abort") },
    { weight: crashes ? 2 : 0, arbitrary: fc.constant<Step>({ verb: "crash" }) },
  );
  const life = fc.array(step, { minLength: 2, maxLength: 8 });
  return fc.record({ lives: fc.array(life, { minLength: 1, maxLength: 2 }), isOver: fc.boolean() });
}

/** One room as it is played. A step that makes no sense now is left out. */
export class PlayedRoom {
  readonly name: string;
  readonly #rooms: LivekitRooms;
  readonly #there = new Map<string, Somebody>();

  constructor(rooms: LivekitRooms, name: string) {
    this.#rooms = rooms;
    this.name = name;
  }

  /** As LiveKit's rows have it: who was there when a node crashed, and did not come back, stays. */
  get there(): Somebody[] {
    return [...this.#there.values()];
  }

  start(): string {
    return this.#rooms.startRoom(this.name).sid;
  }

  finish(): void {
    // Whoever a crash left behind is only in the store; a room that no node has cannot end.
    this.#rooms.startRoom(this.name);
    this.#rooms.finishRoom(this.name);
    this.#there.clear();
  }

  step(step: Step): void {
    const rooms = this.#rooms;
    if (step.verb === "crash") {
      if (rooms.hasLive(this.name)) rooms.crashNode(this.name);
      return;
    }
    const { who } = step;
    const isThere = rooms.hasLive(this.name, who);
    switch (step.verb) {
      case "join":
        this.#came(who, rooms.join(this.name, who, { kind: KINDS[who] }).sid);
        return;
      case "rejoin":
        if (isThere) this.#came(who, rooms.rejoin(this.name, who).sid);
        return;
      case "publish":
        if (isThere) this.#published(who);
        return;
      case "leave":
        if (!isThere) return;
        rooms.leave(this.name, who);
        this.#there.delete(who);
        return;
      case "abort":
        if (isThere || this.#there.has(who)) return;
        rooms.beginJoin(this.name, who, { kind: KINDS[who] });
        rooms.leave(this.name, who, "JOIN_FAILURE");
        return;
    }
  }

  #came(who: Name, sid: string): void {
    this.#there.set(who, { sid, identity: who, kind: KINDS[who], publishes: false });
  }

  #published(who: Name): void {
    this.#rooms.publish(this.name, who);
    const somebody = this.#there.get(who);
    if (somebody !== undefined) somebody.publishes = true;
  }
}
