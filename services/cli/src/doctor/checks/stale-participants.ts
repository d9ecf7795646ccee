/**
 * Whether LiveKit lists people who are gone: rows of a node that crashed stay in its store, and Muster then takes them for
 * evidence. Seen in two ways: a room that lists others than it counts, still so at a second look, has come back on another
 * node; one that no node answers for has not.
 */

import { setTimeout as delay } from "node:timers/promises";
import { LivekitError } from "@muster/livekit/livekit-error";
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
/** Of these; each costs a question to its node, which is waited for in vain for 3 s. */
const ASKED = 8;
/** Counts follow people within a moment. */
const BETWEEN_LOOKS_MS = 2_000;
const NAMED = 3;
const FIX =
  "a node of LiveKit died: when nobody is in such a room any more, end it by RoomService's DeleteRoom (lk room delete <room>)";

interface Looked {
  name: string;
  listed: number;
  counted: number;
}

export const staleParticipants: Check = {
  name: "stale-participants",
  looksAt: "LiveKit's largest rooms list as many people as they count (of 25), and a node has them (of 8).",
  async run(surroundings, signal) {
    const { roomService } = livekitOf(surroundings);
    return await look(roomService, signal).catch(skipWhenSilent);
  },
};

async function look(roomService: RoomService, signal: AbortSignal): Promise<Finding[]> {
  const rooms = await roomService.listRooms(undefined, { signal });
  rooms.sort((one, other) => other.numParticipants - one.numParticipants);
  const looked = await peopleIn(rooms.slice(0, ROOMS), roomService, signal);
  const findings = [
    ...(await thatDiffer(looked, roomService, signal)),
    ...(await thatNoNodeHas(looked, roomService, signal)),
  ];
  if (findings.length > 0) return findings;
  return [ok(`${looked.length} rooms of ${rooms.length} list as many people as they count`)];
}

async function thatDiffer(looked: readonly Looked[], roomService: RoomService, signal: AbortSignal) {
  const names = looked.filter(isDifferent).map(({ name }) => name);
  if (names.length === 0) return [];
  await delay(BETWEEN_LOOKS_MS, undefined, { signal });
  const again = await peopleIn(await roomService.listRooms(names, { signal }), roomService, signal);
  const stale = again.filter(isDifferent);
  if (stale.length === 0) return [];
  const said = stale.map(({ name, listed, counted }) => `${name} lists ${listed} and counts ${counted}`);
  return [warn(`LiveKit lists people who are not there: ${some(said)}`, FIX)];
}

/** What a room's agents are asked for is known to its node alone. */
async function thatNoNodeHas(looked: readonly Looked[], roomService: RoomService, signal: AbortSignal) {
  const asked = looked.filter(({ listed }) => listed > 0).slice(0, ASKED);
  const answers = await Promise.all(
    asked.map(async ({ name }) => {
      const isThere = await roomService
        .listDispatches(name, { signal })
        .then(() => true)
        .catch((error: unknown) => !isUnanswered(error));
      return isThere ? [] : [name];
    }),
  );
  const lost = answers.flat();
  return lost.length === 0
    ? []
    : [warn(`no node of LiveKit answers for ${some(lost)}, which list people`, FIX)];
}

/** livekit-server asks the room's node for 3 s and then answers 503; a try of ours can end before. Others were answered. */
function isUnanswered(error: unknown): boolean {
  if (!(error instanceof LivekitError)) return false;
  return error.code === "timed_out" || (error.code === "unavailable" && error.httpStatus === 503);
}

async function peopleIn(
  rooms: readonly Room[],
  roomService: RoomService,
  signal: AbortSignal,
): Promise<Looked[]> {
  return await Promise.all(
    rooms.map(async ({ name, numParticipants }) => {
      const listed = (await roomService.listParticipants(name, { signal })).filter(isCounted).length;
      return { name, listed, counted: numParticipants };
    }),
  );
}

const isDifferent = ({ listed, counted }: Looked): boolean => listed !== counted;

/** Agents and egress are listed and not counted. */
function isCounted({ kind, state }: ParticipantInfo): boolean {
  const isDependent = kind === ParticipantInfo_Kind.AGENT || kind === ParticipantInfo_Kind.EGRESS;
  return !isDependent && state !== ParticipantInfo_State.DISCONNECTED;
}

function some(all: readonly string[]): string {
  const rest = all.length - NAMED;
  return `${all.slice(0, NAMED).join(", ")}${rest > 0 ? `, and ${rest} rooms more` : ""}`;
}
