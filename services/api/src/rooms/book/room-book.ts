/**
 * Takes in what is said of rooms: into the room book first, then to the orders of the room. Died between the two: whoever
 * said it says it again, since it was not told that all is well, or the next look at the room makes up for it.
 */

import type { RoomFacts } from "@muster/domain/room";
import type { Ledger } from "@muster/ledger/ledger";
import type { RoomChange, RoomPerson } from "@muster/ledger/shapes";
import type { Clock } from "@muster/runtime/clock";
import type { FollowRules } from "../../rules/follow-rules.js";
import type { AdoptDispatches } from "../adoption/adopt-dispatches.js";
import type { ReconcileRoom } from "../reconcile-room.js";
import type { PublishedTrack } from "../room-look.js";
import { type LiveRooms, ROOM_KEEP_MS } from "./live-rooms.js";
import type { RoomIntake } from "./room-intake.js";

export interface RoomBookDeps {
  ledger: Pick<Ledger, "mergeRoom">;
  reconcile: Pick<ReconcileRoom, "look">;
  rooms: Pick<LiveRooms, "note">;
  adopt: Pick<AdoptDispatches, "lookOnce">;
  rules: Pick<FollowRules, "lookOnce">;
  clock: Clock;
}

/** One script call. */
const CHANGES_AT_ONCE = 200;

export class RoomBook implements RoomIntake {
  readonly #deps: RoomBookDeps;

  constructor(deps: RoomBookDeps) {
    this.#deps = deps;
  }

  async take(facts: RoomFacts): Promise<void> {
    const { ledger, reconcile, rooms, adopt, rules, clock } = this.#deps;
    const { room, sid, createdAtMs: createdAt, isOver, info, asOfMs: saidAt } = facts;
    const changes = facts.participants.map(changeOf);
    const published = publishedIn(facts);
    for (let first = 0; first === 0 || first < changes.length; first += CHANGES_AT_ONCE) {
      const some = changes.slice(first, first + CHANGES_AT_ONCE);
      const merged = await ledger.mergeRoom({
        ...{ room, sid, createdAt, isOver, info, saidAt, changes: some, keepMs: ROOM_KEEP_MS },
      });
      // Before its orders are looked at, and off the list behind that: what broke off in between is left to the rounds.
      if (merged.live === 1) await rooms.note(room, true, clock.now());
      const people: RoomPerson[] = Object.values(merged.people);
      // Not what was just said: that can be old, of a life that is over, or a track event, which only names the room.
      const known = { sid: merged.sid, info: merged.info, infoAt: merged.infoAt };
      if (merged.live === 1)
        await Promise.all([adopt.lookOnce(room, merged.sid), rules.lookOnce({ room, ...known })]);
      await reconcile.look({ room, ...known, isLive: merged.live === 1, people, published });
      if (merged.live === 0) await rooms.note(room, false, clock.now());
    }
  }
}

/** The book does not keep them: the next whole word of a participant has its tracks. */
function publishedIn({ participants, asOfMs }: RoomFacts): ReadonlyMap<string, PublishedTrack> {
  // Behind what was said of the participant in the same second, which is as exact as LiveKit's events are.
  const saidAtMs = asOfMs + 1;
  return new Map(
    participants.flatMap(({ sid, track }) => (track === undefined ? [] : [[sid, { track, saidAtMs }]])),
  );
}

function changeOf({
  sid,
  identity,
  kind,
  attributes,
  info,
  publishes,
  joinedAtMs,
  left,
}: RoomFacts["participants"][number]): RoomChange {
  return {
    ...{ sid, identity },
    ...(kind !== undefined && { kind }),
    ...(attributes !== undefined && { attributes: { ...attributes } }),
    ...(info !== undefined && { info }),
    ...(publishes && { publishes: 1 as const }),
    ...(joinedAtMs !== undefined && joinedAtMs > 0 && { joined_at: joinedAtMs }),
    ...(left !== undefined && { left_at: left.atMs, left_reason: left.reason }),
  };
}
