/**
 * Brings the orders of a room in line with what is known of the room: each participant that matches has its job, what
 * LiveKit saw of an agent is told to its job, former holders are put out, what waits for callers who left is told so, and
 * what was bound to a life that is over ends. Looks at states, never at events, so that it does no harm to be called twice, late, or by several at once: every write is a script that checks
 * for itself, and ids of jobs are derived.
 */

import { namespaceName } from "@muster/domain/namespace";
import { poolName } from "@muster/domain/pool";
import type { Ledger } from "@muster/ledger/ledger";
import { type JobRecord, jobRecord, type OrderRecord, orderRecord } from "@muster/ledger/records";
import type { RoomPerson } from "@muster/ledger/shapes";
import type { Enqueue } from "../enqueue.js";
import type { Hints } from "../hints.js";
import type { KnownListeners } from "../known-listeners.js";
import type { ApiMetrics } from "../metrics.js";
import type { OrderPolicy } from "../policy.js";
import { type UntilIndexedDeps, untilIndexed } from "../until-indexed.js";
import { AgentsInRoom } from "./agents/agents-in-room.js";
import type { DoubledAgents } from "./agents/doubled-agents.js";
import type { FormerAgents } from "./agents/former-agents.js";
import type { ShortJobs } from "./agents/short-jobs.js";
import { EndedRooms } from "./ended-rooms.js";
import type { ReopenRooms } from "./making/reopen-rooms.js";
import { CallersGone, isNews, waitsForCallers } from "./people/callers-gone.js";
import { LeftParticipants } from "./people/left-participants.js";
import { ReplacedPeople } from "./people/replaced-people.js";
import { present, type RoomLook } from "./room-look.js";
import { type ServedTypes, wantedJobs } from "./wanted-jobs.js";

export interface RoomReconciler {
  /**
   * Gives every order of the room, in whatever namespace, the jobs that it is due now. May be called at any time. Answers
   * whether the room lives, as far as is known, and which life that is; `info` is its Room message, base64, if known.
   */
  room(room: string): Promise<{ isLive: boolean; life?: { sid: string; info: string } }>;
}

export interface ReconcileRoomDeps extends UntilIndexedDeps {
  ledger: Ledger;
  enqueue: Enqueue;
  listeners: Pick<KnownListeners, "listenMs">;
  hints: Hints;
  formerAgents: Pick<FormerAgents, "look">;
  doubledAgents: Pick<DoubledAgents, "look">;
  shortJobs: Pick<ShortJobs, "look">;
  /** undefined: rooms are not created. */
  reopenRooms?: Pick<ReopenRooms, "want"> | undefined;
  metrics: Pick<ApiMetrics, "jobsEnded">;
  /** Whose orders may be for a room: one LiveKit serves them all. */
  projects: readonly string[];
  policy: OrderPolicy;
}

interface Listed {
  order: OrderRecord;
  jobs: JobRecord[];
}

/** Orders of one room in one namespace, and jobs of each, that are looked at. */
const MAX_LISTED = 1_000;
/** Participants read, and jobs made, in one call. */
const PEOPLE_AT_ONCE = 500;

export class ReconcileRoom implements RoomReconciler {
  readonly #deps: ReconcileRoomDeps;
  readonly #agents: AgentsInRoom;
  readonly #callers: CallersGone;
  readonly #ended: EndedRooms;
  readonly #left: LeftParticipants;

  constructor(deps: ReconcileRoomDeps) {
    this.#deps = deps;
    this.#agents = new AgentsInRoom(deps);
    this.#callers = new CallersGone(deps);
    this.#ended = new EndedRooms(deps);
    this.#left = new LeftParticipants(deps);
  }

  async room(room: string): ReturnType<RoomReconciler["room"]> {
    const { ledger } = this.#deps;
    let isLive = false;
    let life = { sid: "", info: "" };
    const replaced = new ReplacedPeople();
    for (let cursor = ""; cursor !== "0"; ) {
      const reply = await ledger.readRoom({
        room,
        cursor: cursor === "" ? "0" : cursor,
        limit: PEOPLE_AT_ONCE,
      });
      if (reply.status === "unknown") return { isLive: false };
      const { sid, info, infoAt } = reply;
      isLive = reply.live === 1;
      life = { sid, info };
      const people: RoomPerson[] = Object.values(reply.people);
      replaced.add(people);
      await this.look({ room, sid, isLive, info, infoAt, people });
      if (reply.next === "0" && replaced.list().length > 0)
        await this.look({ room, sid, isLive, info, infoAt, people: replaced.list() });
      cursor = reply.next;
    }
    return { isLive, life };
  }

  /** The same for what is known already: the room, and those of its participants of whom something was heard. */
  async look(look: RoomLook): Promise<void> {
    const namespaces = await Promise.all(
      this.#deps.projects.map((project) => this.#namespaces(project, look.room)),
    );
    await Promise.all(namespaces.flat().map((namespace) => this.#lookIn(namespace, look)));
  }

  async #namespaces(project: string, room: string): Promise<string[]> {
    const found = await this.#deps.ledger.findOrder({ project, order: "", room });
    return [...new Set([namespaceName(project, ""), ...found.namespaces])];
  }

  async #lookIn(namespace: string, look: RoomLook): Promise<void> {
    const { orders } = await this.#deps.ledger.listRoomOrders({
      ...{ namespace, room: look.room, only: "", limit: MAX_LISTED },
    });
    const listed = Object.values(orders).map((entry) => ({
      ...{ order: orderRecord(entry.order), jobs: Object.values(entry.jobs).map(jobRecord) },
    }));
    this.#deps.doubledAgents.look(look, { namespace, orders: listed });
    this.#deps.shortJobs.look(look, { namespace, orders: listed });
    for (const one of listed) await this.#lookAt(namespace, look, one);
  }

  async #lookAt(namespace: string, look: RoomLook, { order, jobs }: Listed): Promise<void> {
    // A room's name is used again and again: what is over and done with stays listed for a day.
    if (order.state !== "live" && jobs.every(({ state }) => state === "ended")) return;
    const boundTo = order.roomSid;
    const isOver = !look.isLive || (boundTo !== "" && boundTo !== look.sid);
    const goesOn = isOver ? await this.#endIn(namespace, look, order, jobs) : order.state === "live";
    if (!look.isLive && goesOn) await this.#wantRoom(look, order);
    if (!look.isLive || !goesOn) return;
    for (const job of jobs) {
      this.#deps.formerAgents.look(job, look.people);
      await this.#agents.note(namespace, job, look.people);
    }
    await this.#left.settle(namespace, order.id, jobs, look.people);
    await this.#extend(namespace, look, order);
    if (waitsForCallers(jobs)) await this.#tellOfCallers(namespace, look, { order, jobs });
    if (boundTo === "") await this.#endWhenOver(namespace, look, { order, jobs });
  }

  /** The life that the order is bound to is over; one that is bound to none can have been meant for the last one. */
  async #endIn(
    namespace: string,
    look: RoomLook,
    order: OrderRecord,
    jobs: readonly JobRecord[],
  ): Promise<boolean> {
    const over = order.roomSid === "" ? look.sid : order.roomSid;
    const seenAt = (await this.#callers.lives(look.room)).get(over)?.seen_at ?? 0;
    if (order.roomSid === "" && seenAt <= order.createdAtMs) return order.state === "live";
    const told = over === look.sid;
    if (told) for (const job of jobs) await this.#agents.note(namespace, job, look.people);
    return this.#ended.end(namespace, order.id, over, { seenAt, told });
  }

  /** It closed, and the order is for its next life. */
  async #wantRoom({ room, sid }: RoomLook, order: OrderRecord): Promise<void> {
    const { reopenRooms, policy } = this.#deps;
    await reopenRooms?.want({ room, sid, waitMs: order.waitMs || policy.waitMs });
  }

  async #tellOfCallers(namespace: string, look: RoomLook, { order, jobs }: Listed): Promise<void> {
    const life = (await this.#callers.lives(look.room)).get(look.sid);
    if (life?.over === 0 && isNews(order, jobs, life)) await this.#callers.tell(namespace, order, look, life);
  }

  /** Whoever took in meanwhile that this life is over did not find the order that was just bound to it. */
  async #endWhenOver(namespace: string, look: RoomLook, { order, jobs }: Listed): Promise<void> {
    const { room, sid } = look;
    const reply = await this.#deps.ledger.readRoom({ room, cursor: "0", limit: 1 });
    const isOver = reply.status === "found" && (reply.sid !== sid || reply.live === 0);
    if (isOver) await this.#endIn(namespace, look, { ...order, roomSid: sid }, jobs);
  }

  async #extend(namespace: string, look: RoomLook, order: OrderRecord): Promise<void> {
    const { ledger, enqueue, listeners, policy } = this.#deps;
    const served = order.target === "room" ? await this.#servedTypes(namespace, order) : [];
    const wanted = wantedJobs(namespace, order, present(look), served, policy.maxAttempts);
    for (let first = 0; first === 0 || first < wanted.length; first += PEOPLE_AT_ONCE) {
      const newJobs = wanted.slice(first, first + PEOPLE_AT_ONCE);
      const listenMs = await listeners.listenMs(namespace);
      const reply = await untilIndexed(this.#deps, namespace, (rests) =>
        ledger.extendOrder({
          ...{ namespace, order: order.id, roomSid: look.sid, roomInfo: look.info, roomInfoAt: look.infoAt },
          ...{
            newJobs,
            rests,
            listenMs,
            opens: served.length > 0,
            guardMs: policy.guardMs,
            waitMs: policy.waitMs,
          },
        }),
      );
      if (reply.status !== "extended") return;
      await enqueue.add(namespace, {
        ...{ order: order.id, priority: order.priority, jobs: reply.queued, isLater: true },
      });
      if (reply.made > 0) await this.#lookAgain(namespace, look, order.id);
    }
  }

  /** Whoever took in meanwhile that somebody left did not find the job which was just made. */
  async #lookAgain(namespace: string, look: RoomLook, order: string): Promise<void> {
    const gone = await this.#left.whoLeft(look.room, present(look));
    if (gone.length === 0) return;
    const { orders } = await this.#deps.ledger.listRoomOrders({
      ...{ namespace, room: look.room, only: order, limit: MAX_LISTED },
    });
    const jobs = Object.values(orders).flatMap((entry) => Object.values(entry.jobs).map(jobRecord));
    await this.#left.settle(namespace, order, jobs, gone);
  }

  async #servedTypes(namespace: string, { agent: agentName, deployment }: OrderRecord): Promise<ServedTypes> {
    const types = ["publisher", "participant"] as const;
    const names = types.map((type) => poolName({ agentName, type, deployment }));
    const known = await this.#deps.ledger.knownPools({ namespace, names });
    return types.filter((_, at) => known.names.includes(names[at] ?? ""));
  }
}
