/**
 * Who is still in the book and cannot be in the room any more: LiveKit has nobody twice under one identity, and of those
 * who were on a node that crashed it never says that they left. Whoever joined later has taken the place of the others.
 * Must never guess from silence: who did not come back may still be there.
 */

import type { RoomPerson } from "@muster/ledger/shapes";

/** What tells one stay from another; the rest can be large, and a room can have thousands. */
type Stay = Pick<RoomPerson, "sid" | "identity" | "joined_at" | "said_at" | "heard_at">;

export class ReplacedPeople {
  readonly #latest = new Map<string, Stay>();
  readonly #replaced: RoomPerson[] = [];

  /** May be told of the same one twice. */
  add(people: readonly RoomPerson[]): void {
    for (const { sid, identity, joined_at: joinedAt, left_at: leftAt, ...times } of people) {
      // One of whom only a track was told has no time of joining.
      if (leftAt !== undefined || joinedAt === undefined) continue;
      const stay = { sid, identity, joined_at: joinedAt, said_at: times.said_at, heard_at: times.heard_at };
      const other = this.#latest.get(identity);
      if (other === undefined || other.sid === sid) this.#latest.set(identity, stay);
      else if (joinedAt > (other.joined_at ?? 0)) {
        this.#latest.set(identity, stay);
        this.#replace(other, joinedAt);
      } else if (joinedAt < (other.joined_at ?? 0)) this.#replace(stay, other.joined_at ?? 0);
    }
  }

  /** Each as LiveKit would have told of it: put out by its own next connection. */
  list(): readonly RoomPerson[] {
    return this.#replaced;
  }

  #replace(stay: Stay, atMs: number): void {
    this.#replaced.push({ ...stay, left_at: atMs, left_reason: "DUPLICATE_IDENTITY" });
  }
}
