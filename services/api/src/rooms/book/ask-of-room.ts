/**
 * What RoomService says of a room, as facts for the book. The book is read before it asks: whoever was spoken of by then
 * and is not in the answer has left, and a life that was spoken of by then and is not there is over. (Read the other way
 * round, who came in between would be taken for gone.) Needs no clock to agree with another.
 */

import type { ParticipantFacts, RoomFacts } from "@muster/domain/room";
import type { Ledger } from "@muster/ledger/ledger";
import type { RoomPerson } from "@muster/ledger/shapes";
import { roomFactsOf } from "@muster/livekit/facts";
import type { RoomService } from "@muster/livekit/room-service";

export interface AskOfRoom {
  ledger: Pick<Ledger, "readRoom">;
  roomService: Pick<RoomService, "listRooms" | "listParticipants">;
  room: string;
  nowMs: number;
}

interface Book {
  sid: string;
  isLive: boolean;
  people: RoomPerson[];
}

const PEOPLE_AT_ONCE = 500;

/** In the order in which they are to be taken in; none for a room that nobody knows. */
export async function askOfRoom({ ledger, roomService, room, nowMs }: AskOfRoom): Promise<RoomFacts[]> {
  const book = await readBook(ledger, room);
  const [live] = await roomService.listRooms([room]);
  const over = book?.isLive === true && book.sid !== live?.sid ? [overFacts(room, book.sid, nowMs)] : [];
  if (live === undefined) return over;
  const facts = roomFactsOf(live, await roomService.listParticipants(room), nowMs);
  const known = book?.sid === live.sid ? book.people : [];
  return [
    ...over,
    { ...facts, participants: [...facts.participants, ...gone(known, facts.participants, nowMs)] },
  ];
}

async function readBook(ledger: Pick<Ledger, "readRoom">, room: string): Promise<Book | undefined> {
  let book: Book | undefined;
  for (let cursor = ""; cursor !== "0"; ) {
    const reply = await ledger.readRoom({
      room,
      cursor: cursor === "" ? "0" : cursor,
      limit: PEOPLE_AT_ONCE,
    });
    // Another life began while we read: what was read of the one before is void.
    if (reply.status === "unknown" || (book !== undefined && book.sid !== reply.sid)) return undefined;
    const people = Object.values(reply.people);
    book = { sid: reply.sid, isLive: reply.live === 1, people: [...(book?.people ?? []), ...people] };
    cursor = reply.next;
  }
  return book;
}

function gone(
  known: readonly RoomPerson[],
  here: readonly ParticipantFacts[],
  nowMs: number,
): ParticipantFacts[] {
  const sids = new Set(here.map(({ sid }) => sid));
  return known
    .filter(({ sid, left_at: leftAt }) => leftAt === undefined && !sids.has(sid))
    .map(({ sid, identity }) => ({ sid, identity, left: { atMs: nowMs, reason: "" } }));
}

function overFacts(room: string, sid: string, nowMs: number): RoomFacts {
  return {
    room,
    sid,
    createdAtMs: 0,
    info: "",
    isOver: true,
    participants: [],
    isComplete: false,
    asOfMs: nowMs,
  };
}
