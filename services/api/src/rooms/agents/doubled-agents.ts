/**
 * Sees to it that a dispatch of livekit-server's which one of its own workers serves has no agent of ours beside: adoption
 * can come before livekit-server shows that it gave the job away. When both are known for one dispatch, ours ends with the
 * cause `served_elsewhere`, whichever came first: the other one is not ours to stop. Keeps no fact, and is never waited
 * for: each look at the room begins it again. Costs a room without adopted dispatches nothing, and one without another's
 * agents no question to LiveKit.
 *
 * 1. The job ends, with its stop. Died after it: the stop is told again, and the agent looked for, by its timer.
 * 2. Its agent is put out of the room. Died before it: see 1.
 */

import { poolOf } from "@muster/domain/pool";
import type { Ledger } from "@muster/ledger/ledger";
import type { JobRecord, OrderRecord } from "@muster/ledger/records";
import type { OwnWorkers } from "@muster/livekit/own-workers";
import { removeAgent } from "@muster/livekit/remove-agent";
import type { RoomService } from "@muster/livekit/room-service";
import { foreignAgents, type ServedDispatch, servedInRoom } from "@muster/livekit/served-by-livekit";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { type ParticipantInfo, ParticipantInfo_Kind } from "@muster/wire/generated/livekit";
import type { Hints } from "../../hints.js";
import type { ApiMetrics } from "../../metrics.js";
import { participantJobId, roomJobId } from "../../order-ids.js";
import type { OrderPolicy } from "../../policy.js";
import type { RoomLook } from "../room-look.js";

export interface DoubledAgentsDeps {
  ledger: Pick<Ledger, "readRoom" | "terminateJob">;
  /** undefined: nothing is adopted, and nobody put out. */
  roomService:
    | Pick<RoomService, "listDispatches" | "listParticipants" | "getParticipant" | "removeParticipant">
    | undefined;
  ownWorkers: Pick<OwnWorkers, "note">;
  hints: Pick<Hints, "stop" | "wake">;
  metrics: Pick<ApiMetrics, "jobsEnded" | "agentRemoved" | "dispatchDoubled">;
  policy: Pick<OrderPolicy, "stopMs" | "removeMs">;
  clock: Clock;
  log: Log;
}

/** The orders of a room in one namespace. */
export interface OrdersInRoom {
  namespace: string;
  orders: readonly { order: OrderRecord; jobs: readonly JobRecord[] }[];
}

const CALL_MS = 1_000;
/** Above this the next look has its turn. */
const MOST_AT_ONCE = 32;
const PEOPLE_AT_ONCE = 500;
const JOB_TYPES = ["room", "publisher", "participant"] as const;

export class DoubledAgents {
  readonly #deps: DoubledAgentsDeps;
  /** By room and namespace. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(deps: DoubledAgentsDeps) {
    this.#deps = deps;
  }

  look({ room, isLive, people }: RoomLook, { namespace, orders }: OrdersInRoom): void {
    const { roomService } = this.#deps;
    if (roomService === undefined || !isLive) return;
    if (!people.some(({ kind, left_at: leftAt }) => kind === "agent" && leftAt === undefined)) return;
    const adopted = orders.filter(({ order, jobs }) => order.isOneLife && jobs.some(isLiving));
    const key = `${namespace}\0${room}`;
    if (adopted.length === 0 || this.#underWay.has(key) || this.#underWay.size >= MOST_AT_ONCE) return;
    const looking = this.#look(roomService, room, { namespace, orders: adopted })
      .catch((error: unknown) => {
        this.#deps.log.warn(
          { error: String(error) },
          "a room was not looked at for two agents of one dispatch; the next look does",
        );
      })
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, looking);
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
  }

  async #look(
    roomService: NonNullable<DoubledAgentsDeps["roomService"]>,
    room: string,
    { namespace, orders }: OrdersInRoom,
  ) {
    if (!(await this.#hasForeign(room))) return;
    const options = { overallMs: CALL_MS };
    const [people, dispatches] = await Promise.all([
      roomService.listParticipants(room, options),
      roomService.listDispatches(room, options),
    ]);
    const served = servedInRoom(dispatches, foreignAgents(people.map(personOf)));
    if (served.length === 0) return;
    const names = [...new Set(served.map(({ dispatch }) => dispatch.agentName))];
    await this.#deps.ownWorkers.note(names, this.#deps.clock.now());
    const theirs = new Set(served.map((one) => jobIdOf(one, namespace, room)));
    for (const job of orders.flatMap(({ jobs }) => jobs).filter(isLiving)) {
      if (theirs.has(job.id)) await this.#end(roomService, namespace, job);
    }
  }

  /** By the room book: an agent that bears no mark of a Muster. */
  async #hasForeign(room: string): Promise<boolean> {
    for (let cursor = ""; cursor !== "0"; ) {
      const reply = await this.#deps.ledger.readRoom({
        ...{ room, cursor: cursor === "" ? "0" : cursor, limit: PEOPLE_AT_ONCE },
      });
      if (reply.status === "unknown") return false;
      const there = Object.values(reply.people).filter((person) => person.left_at === undefined);
      const people = there.map(({ identity, kind, attributes = {} }) => ({
        ...{ identity, attributes, isAgent: kind === "agent" },
      }));
      if (foreignAgents(people).length > 0) return true;
      cursor = reply.next;
    }
    return false;
  }

  async #end(
    roomService: NonNullable<DoubledAgentsDeps["roomService"]>,
    namespace: string,
    job: JobRecord,
  ): Promise<void> {
    const { ledger, hints, metrics, policy, log } = this.#deps;
    const reply = await ledger.terminateJob({
      ...{ namespace, job: job.id, cause: "served_elsewhere" },
      reason: "a worker that is registered at livekit-server itself serves this dispatch",
      ...{ stopMs: policy.stopMs, removeMs: policy.removeMs },
    });
    if (reply.status !== "terminated") return;
    metrics.jobsEnded("canceled");
    metrics.dispatchDoubled();
    log.warn(
      { namespace, job: job.id, agent: poolOf(job.pool).agentName, room: job.room },
      "a worker at livekit-server itself serves the dispatch of this job: the job ends; point that worker at Muster",
    );
    if (reply.stop !== null) hints.stop(namespace, reply.stop);
    if (reply.serve !== "") hints.wake(namespace, { kind: "serve", pool: reply.serve });
    if (job.agentIdentity === "") return;
    const agent = { room: job.room, identity: job.agentIdentity, job: job.id, upToEpoch: job.epoch };
    if ((await removeAgent(roomService, agent, CALL_MS)) === "removed")
      metrics.agentRemoved("served_elsewhere");
  }
}

function isLiving({ state }: JobRecord): boolean {
  return state !== "ended";
}

function personOf({ identity, kind, attributes }: ParticipantInfo) {
  return { identity, attributes, isAgent: kind === ParticipantInfo_Kind.AGENT };
}

/** The job that an adopted dispatch has here for what livekit-server made one for. */
function jobIdOf({ dispatch, job }: ServedDispatch, namespace: string, room: string): string {
  const type = JOB_TYPES[job?.type ?? 0] ?? "room";
  if (type === "room") return roomJobId(dispatch.id, namespace, room);
  return participantJobId(dispatch.id, namespace, type, job?.participant?.sid ?? "");
}
