/**
 * Whether LiveKit lists people who are gone: rows of a node that crashed stay in its store, and Muster then takes them for
 * evidence. Seen by what rooms count and what they list, when the two still differ at a second look.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { RoomService } from "@muster/livekit/room-service";
import {
  type ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  type Room,
} from "@muster/wire/generated/livekit";
import type { Check } from "../check.js";
import { type Finding, ok, warn } from "../finding.js";
import { livekitOf, skipWhenSilent } from "../livekit-of.js";

/** Those with the most in them; each costs a call. */
const ROOMS = 25;
/** Counts follow people within a moment. */
const BETWEEN_LOOKS_MS = 2_000;
const NAMED = 3;

export const staleParticipants: Check = {
  name: "stale-participants",
  looksAt: "In LiveKit's 25 largest rooms as many people are listed as are counted.",
  async run(surroundings, signal) {
    const { roomService } = livekitOf(surroundings);
    return await look(roomService, signal).catch(skipWhenSilent);
  },
};

async function look(roomService: RoomService, signal: AbortSignal): Promise<Finding[]> {
  const rooms = await roomService.listRooms(undefined, { signal });
  rooms.sort((one, other) => other.numParticipants - one.numParticipants);
  const looked = rooms.slice(0, ROOMS);
  const differed = await differing(looked, roomService, signal);
  if (differed.length > 0) await delay(BETWEEN_LOOKS_MS, undefined, { signal });
  const again =
    differed.length === 0
      ? []
      : await roomService.listRooms(
          differed.map(({ name }) => name),
          { signal },
        );
  const stale = await differing(again, roomService, signal);
  if (stale.length === 0)
    return [ok(`${looked.length} rooms of ${rooms.length} list as many people as they count`)];
  const named = stale
    .slice(0, NAMED)
    .map(({ name, listed, counted }) => `${name} lists ${listed} and counts ${counted}`);
  const more = stale.length > NAMED ? `, and ${stale.length - NAMED} rooms more` : "";
  return [
    warn(
      `LiveKit lists people who are not there: ${named.join(", ")}${more}`,
      "a node of LiveKit died: have RoomService DeleteRoom end such a room when nobody is in it any more (lk room delete <room>)",
    ),
  ];
}

async function differing(rooms: readonly Room[], roomService: RoomService, signal: AbortSignal) {
  const counted = await Promise.all(
    rooms.map(async ({ name, numParticipants }) => {
      const listed = (await roomService.listParticipants(name, { signal })).filter(isCounted).length;
      return { name, listed, counted: numParticipants };
    }),
  );
  return counted.filter(({ listed, counted }) => listed !== counted);
}

/** Agents and egress are listed and not counted. */
function isCounted({ kind, state }: ParticipantInfo): boolean {
  const isDependent = kind === ParticipantInfo_Kind.AGENT || kind === ParticipantInfo_Kind.EGRESS;
  return !isDependent && state !== ParticipantInfo_State.DISCONNECTED;
}
