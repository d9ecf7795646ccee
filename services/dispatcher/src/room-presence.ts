/**
 * Presence by what LiveKit says: the room book, which webhooks fill, and RoomService where one is configured. That an
 * agent left is believed of either; that it is there is asked of RoomService, since a webhook can be lost for good. Rows
 * of a crashed node can say "present" for ever: the bound on an orphan ends that, not this. While RoomService is away,
 * what webhooks said counts.
 *
 * That an agent never joined is concluded from evidence alone: RoomService, where there is one, does not find it now, and
 * had it been there, we would have been told, or would have seen it. Told: webhooks arrive, and the book has the room's life.
 * Seen: it was looked for so often since its job began that only a moment can have been missed (young-jobs.ts).
 */

import { REJOIN_MS } from "@muster/domain/timing";
import type { Ledger } from "@muster/ledger/ledger";
import type { HeardBoard } from "@muster/livekit/heard-board";
import { LivekitError } from "@muster/livekit/livekit-error";
import type { RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import {
  type ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
} from "@muster/wire/generated/livekit";
import type { JoinQuestion, JoinVerdict, Presence, PresenceQuestion, PresenceVerdict } from "./presence.js";
import { isAgent, isAgentOf, YoungJobs } from "./young-jobs.js";

type Asked = Pick<RoomService, "getParticipant" | "listParticipants">;

export interface RoomPresenceDeps {
  ledger: Pick<Ledger, "findPerson" | "findCompany" | "readRecord" | "noteAgent">;
  /** Absent: only webhooks tell. */
  roomService?: Asked | undefined;
  /** When LiveKit was heard by webhook. */
  heard: Pick<HeardBoard, "lastHeardMs">;
  clock: Clock;
  /** How long an agent may take to join its room. */
  startMs: number;
}

/** Put out by its own next connection, or on its way to another node: whether that one came is not said by it. */
const NOT_GONE = new Set(["DUPLICATE_IDENTITY", "MIGRATION"]);
/** Within what presence may take, so that there is time for the answer of webhooks. */
const CALL = { overallMs: 1_500 };
/** Participants read from the book in one call. */
const PEOPLE_AT_ONCE = 500;
/** Webhooks that came within this time are taken to arrive still. */
const HEARD_LATELY_MS = 120_000;
/**
 * A stay that may be missed. Of a job that is over: one in which no job is done. Of one that runs, as its worker does not say
 * otherwise: the agent would have to have come, and to be gone already.
 */
const UNSEEN_MS = { ended: 1_000, running: 5_000 };

export class RoomPresence implements Presence {
  readonly #deps: RoomPresenceDeps;
  /** undefined: nobody can be asked. */
  readonly #youngJobs: YoungJobs | undefined;

  constructor(deps: RoomPresenceDeps) {
    this.#deps = deps;
    const { roomService, ledger, clock, startMs } = deps;
    if (roomService !== undefined) this.#youngJobs = new YoungJobs({ roomService, ledger, clock, startMs });
  }

  async isKnown(): Promise<boolean> {
    const { roomService, heard } = this.#deps;
    return roomService !== undefined || (await heard.lastHeardMs()) !== undefined;
  }

  watch(namespace: string, job: string, epoch: number): void {
    const youngJobs = this.#youngJobs;
    if (youngJobs === undefined) return;
    this.#isHeardLately().then(
      (isHeard) => !isHeard && youngJobs.watch(namespace, job, epoch),
      () => {}, // not watched is unknown
    );
  }

  async stop(): Promise<void> {
    await this.#youngJobs?.stop();
  }

  async hasJoined(question: JoinQuestion): Promise<JoinVerdict> {
    const { namespace, job, epoch, room, agentIdentity, startedAtMs, untilMs, hasEnded } = question;
    if (question.participantSid !== "") return "joined";
    if (agentIdentity === "") return "unknown";
    const there = await this.#askedOr<JoinVerdict>("unasked", async (roomService) => {
      const found = await roomService.getParticipant(room, agentIdentity, CALL);
      return found !== undefined && isAgentOf(job, found) ? "joined" : "never";
    });
    const canAsk = this.#deps.roomService !== undefined;
    if (there === "joined" || (canAsk && there === "unasked")) return there;
    const unseenMs = this.#youngJobs?.longestUnseenMs(namespace, job, epoch, startedAtMs, untilMs);
    const mayMissMs = hasEnded ? UNSEEN_MS.ended : UNSEEN_MS.running;
    if (unseenMs !== undefined && unseenMs <= mayMissMs) return "never";
    return (await this.#wouldBeTold(room)) ? "never" : "unknown";
  }

  async hasCompany(room: string): Promise<boolean | undefined> {
    if (this.#deps.roomService === undefined) return this.#isToldCompany(room);
    return this.#askedOr<boolean | undefined>(undefined, async (roomService) => {
      const people = await roomService.listParticipants(room, CALL);
      return people.some((person) => isCompany(person));
    });
  }

  /** Of a room that webhooks told of. */
  async #wouldBeTold(room: string): Promise<boolean> {
    const { roomService, ledger, heard } = this.#deps;
    // Where rounds write the book too, that it has the room does not show that webhooks arrive.
    const arrives =
      roomService === undefined ? (await heard.lastHeardMs()) !== undefined : await this.#isHeardLately();
    if (!arrives) return false;
    const reply = await ledger.findCompany({ room, cursor: "0", limit: 1, rejoinMs: REJOIN_MS });
    return reply.status === "company";
  }

  async #isHeardLately(): Promise<boolean> {
    const { heard, clock } = this.#deps;
    const heardAtMs = await heard.lastHeardMs();
    return heardAtMs !== undefined && clock.now() - heardAtMs < HEARD_LATELY_MS;
  }

  async #isToldCompany(room: string): Promise<boolean | undefined> {
    const { ledger } = this.#deps;
    for (let cursor = ""; cursor !== "0"; ) {
      const page = { cursor: cursor === "" ? "0" : cursor, limit: PEOPLE_AT_ONCE };
      const reply = await ledger.findCompany({ room, ...page, rejoinMs: REJOIN_MS });
      if (reply.status === "unknown") return undefined;
      if (reply.here > 0) return true;
      cursor = reply.next;
    }
    return false;
  }

  async ask(question: PresenceQuestion): Promise<PresenceVerdict> {
    const { room, agentIdentity } = question;
    const told = await this.#told(question);
    if (told === "absent" || agentIdentity === "") return told;
    return this.#askedOr(told, async (roomService) => {
      const found = await roomService.getParticipant(room, agentIdentity, CALL);
      return found !== undefined && isAgent(found) ? "present" : "absent";
    });
  }

  async isDeserted(room: string): Promise<boolean> {
    if (!(await this.#isToldDeserted(room))) return false;
    if (this.#deps.roomService === undefined) return true;
    // That somebody came can have been lost, and to end the job then would leave them alone.
    return this.#askedOr(false, async (roomService) => {
      const people = await roomService.listParticipants(room, CALL);
      return !people.some((person) => isCompany(person));
    });
  }

  /** What RoomService says, or `otherwise` when it cannot be asked. */
  async #askedOr<T>(otherwise: T, ask: (roomService: Asked) => Promise<T>): Promise<T> {
    const { roomService } = this.#deps;
    if (roomService === undefined) return otherwise;
    try {
      return await ask(roomService);
    } catch (error) {
      if (error instanceof LivekitError) return otherwise;
      throw error;
    }
  }

  /** What webhooks told. A room that they never spoke of, or of whose next life they did not tell yet, says nothing. */
  async #told({ room, participantSid }: PresenceQuestion): Promise<PresenceVerdict> {
    if (participantSid === "") return "unknown";
    const reply = await this.#deps.ledger.findPerson({ room, sid: participantSid });
    switch (reply.status) {
      case "here":
        return "present";
      case "left":
        return NOT_GONE.has(reply.reason) ? "unknown" : "absent";
      case "room_over":
        return "absent";
      case "unknown":
        return "unknown";
    }
  }

  async #isToldDeserted(room: string): Promise<boolean> {
    const { ledger } = this.#deps;
    let gone = 0;
    for (let cursor = ""; cursor !== "0"; ) {
      const page = { cursor: cursor === "" ? "0" : cursor, limit: PEOPLE_AT_ONCE };
      const reply = await ledger.findCompany({ room, ...page, rejoinMs: REJOIN_MS });
      if (reply.status === "unknown" || reply.here > 0) return false;
      gone += reply.gone;
      cursor = reply.next;
    }
    return gone > 0;
  }
}

/** Neither an agent nor a recorder, and there. */
function isCompany({ kind, state }: Pick<ParticipantInfo, "kind" | "state">): boolean {
  const { AGENT, EGRESS } = ParticipantInfo_Kind;
  return state !== ParticipantInfo_State.DISCONNECTED && kind !== AGENT && kind !== EGRESS;
}
