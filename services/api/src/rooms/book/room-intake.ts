/**
 * Where everything goes that LiveKit says of its rooms, whether it told us or was asked. Who hands facts over must never
 * act on them itself: what follows from a room is decided from all that is known of it.
 */

import type { RoomFacts } from "@muster/domain/room";

export interface RoomIntake {
  /**
   * Resolves once the facts are kept and whoever has orders for the room will look at them; until then they may be lost.
   * May be repeated, in any order: facts merge. Rejects when they could not be kept; the source has to say them again.
   */
  take(facts: RoomFacts): Promise<void>;
}
