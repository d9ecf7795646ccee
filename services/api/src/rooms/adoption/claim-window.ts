/**
 * How long a dispatch of livekit-server's is left to workers of its own. Not at all where livekit-server is not known to
 * have any. Else it is looked at a second time, after the time in which they claim it, also at who is in the room: a job can
 * show in ListDispatch seconds after its agent does. An agent whose own workers were seen is waited for longer, until a
 * dispatch of it was not claimed. Remembers only what spares questions.
 */

import type { OwnWorkers } from "@muster/livekit/own-workers";
import type { RoomService } from "@muster/livekit/room-service";
import { foreignAgents, isServed, servedInRoom } from "@muster/livekit/served-by-livekit";
import type { Clock } from "@muster/runtime/clock";
import { type AgentDispatch, ParticipantInfo_Kind } from "@muster/wire/generated/livekit";
import { LivesSeen } from "../people/lives-seen.js";

export interface ClaimWindowDeps {
  roomService: Pick<RoomService, "listParticipants"> | undefined;
  ownWorkers: Pick<OwnWorkers, "note" | "list" | "forget">;
  clock: Clock;
}

export interface Claimed {
  /** Ids of the dispatches that are not taken with this look. */
  left: ReadonlySet<string>;
  /** When to look again, for some of them; undefined: with the rounds. */
  againMs: number | undefined;
}

/** livekit-server chooses a worker within 1 s of the first answer; the worker's own answer takes milliseconds. */
const CLAIMED_MS = 1_500;
/** ListDispatch shows the job only when the look-up of workers is over: 5 s, where it is not cached. */
const LISTED_MS = 6_000;
/** A timer may be early by the clock that is read. */
const TIMER_SLACK_MS = 20;
/** So often at most it is written down that an agent has workers at livekit-server. */
const NOTED_MS = 60_000;
const MAX_REMEMBERED = 10_000;
const NOTHING: Claimed = { left: new Set(), againMs: undefined };

export class ClaimWindow {
  readonly #deps: ClaimWindowDeps;
  /** When each agent was last written down as one with workers at livekit-server. */
  readonly #notedAtMs = new Map<string, number>();
  /** When each dispatch that had to wait was seen first. */
  readonly #firstSeenMs = new Map<string, number>();
  /** Dispatches that had their time, or need none. */
  readonly #cleared = new LivesSeen();

  constructor(deps: ClaimWindowDeps) {
    this.#deps = deps;
  }

  /** `listed` is all of the room's; `open` those that nobody serves. Rejects when LiveKit or Redis cannot be asked. */
  async look(
    room: string,
    listed: readonly AgentDispatch[],
    open: readonly AgentDispatch[],
  ): Promise<Claimed> {
    const { roomService, ownWorkers, clock } = this.#deps;
    const nowMs = clock.now();
    await this.#note(listed, nowMs);
    const news = open.filter(({ id }) => !this.#cleared.has(id));
    if (roomService === undefined || news.length === 0) return NOTHING;
    const known = new Set(await ownWorkers.list(nowMs));
    if (known.size === 0) {
      for (const { id } of news) this.#cleared.add(id);
      return NOTHING;
    }
    for (const { id } of news) if (!this.#firstSeenMs.has(id)) remember(this.#firstSeenMs, id, nowMs);
    const restMs = ({ id, agentName }: AgentDispatch) =>
      (this.#firstSeenMs.get(id) ?? 0) + (known.has(agentName) ? LISTED_MS : CLAIMED_MS) - nowMs;
    const young = news.filter((dispatch) => restMs(dispatch) > 0);
    const left = new Set(young.map(({ id }) => id));
    if (left.size < news.length) {
      for (const id of await this.#inRoom(roomService, room, listed)) left.add(id);
    }
    const unclaimed = news.filter(({ id }) => !left.has(id));
    for (const { id } of unclaimed) {
      this.#cleared.add(id);
      this.#firstSeenMs.delete(id);
    }
    await ownWorkers.forget(unclaimed.map(({ agentName }) => agentName).filter((agent) => known.has(agent)));
    const againMs = Math.min(...young.map(restMs)) + TIMER_SLACK_MS;
    return { left, againMs: young.length > 0 ? againMs : undefined };
  }

  async #note(listed: readonly AgentDispatch[], nowMs: number): Promise<void> {
    const agents = [...new Set(listed.filter(isServed).map(({ agentName }) => agentName))];
    const news = agents.filter((agent) => nowMs - (this.#notedAtMs.get(agent) ?? 0) >= NOTED_MS);
    if (news.length === 0) return;
    await this.#deps.ownWorkers.note(news, nowMs);
    for (const agent of news) remember(this.#notedAtMs, agent, nowMs);
  }

  async #inRoom(
    roomService: NonNullable<ClaimWindowDeps["roomService"]>,
    room: string,
    listed: readonly AgentDispatch[],
  ): Promise<string[]> {
    const people = await roomService.listParticipants(room);
    const agents = foreignAgents(
      people.map(({ identity, kind, attributes }) => ({
        ...{ identity, attributes, isAgent: kind === ParticipantInfo_Kind.AGENT },
      })),
    );
    return servedInRoom(listed, agents).map(({ dispatch }) => dispatch.id);
  }
}

/** Forgets the oldest where it gets too many. */
function remember(map: Map<string, number>, key: string, atMs: number): void {
  map.set(key, atMs);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED && oldest !== undefined) map.delete(oldest);
}
