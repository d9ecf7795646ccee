/**
 * What a new order does about its room: learns what the room is, has it made when it is not there, and has it looked at
 * when somebody in it may be owed a job. Owns how long an order waits for LiveKit in all of that: `ASK_MS` for what the
 * room is, and as long for a room that is made for it. Nothing here refuses an order.
 *
 * Died at any point: what was not done here, the rounds do.
 */

import { within } from "@muster/actor/timing";
import { poolName } from "@muster/domain/pool";
import type { Ledger } from "@muster/ledger/ledger";
import { roomFactsOf } from "@muster/livekit/facts";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { ApiMetrics } from "../../metrics.js";
import { isOpen, waitMsOf } from "../../order-facts.js";
import type { NewOrder } from "../../order-request.js";
import type { OrderPolicy } from "../../policy.js";
import type { RoomReconciler } from "../reconcile-room.js";
import type { RoomLooks } from "../room-looks.js";
import { ASK_MS, type KnownRoom, type KnownRooms } from "./known-rooms.js";
import type { MissingRooms } from "./missing-rooms.js";

export interface OrderRoomDeps {
  ledger: Pick<Ledger, "extendOrder" | "knownPools">;
  knownRooms: Pick<KnownRooms, "of">;
  looks: Pick<RoomLooks, "look">;
  /** undefined: an order waits for its room. */
  missingRooms: Pick<MissingRooms, "want" | "made"> | undefined;
  reconciler: RoomReconciler;
  metrics: Pick<ApiMetrics, "orderRoomKnown">;
  policy: OrderPolicy;
  clock: Clock;
  log: Log;
}

/** An order's part in one namespace. */
export interface OrderPlace {
  namespace: string;
  order: string;
}

const UNKNOWN: KnownRoom = { status: "unknown" };

export class OrderRoom {
  readonly #deps: OrderRoomDeps;
  readonly #underWay = new Set<Promise<void>>();

  constructor(deps: OrderRoomDeps) {
    this.#deps = deps;
  }

  /** The room as it is now; of an order for one life, that life or nothing. One on participants learns it with its look. */
  async known(order: NewOrder): Promise<KnownRoom> {
    if (isOpen(order)) return UNKNOWN;
    const known = await this.#deps.knownRooms.of(order.room);
    const isAnother = known.status === "live" && order.roomSid !== undefined && order.roomSid !== known.sid;
    return isAnother ? UNKNOWN : known;
  }

  /**
   * After the order is kept and before anybody is asked. Resolves when the wish for a room cannot be lost; of a room that was
   * not there, once it is made and the order's jobs have heard of it, or after ASK_MS.
   */
  async wanted(order: NewOrder, known: KnownRoom, place: OrderPlace): Promise<void> {
    const { missingRooms, policy, clock } = this.#deps;
    // What livekit-server made a dispatch for has its room from there.
    if (missingRooms === undefined || order.repeat?.by === "id") return;
    await missingRooms.want(order.room, waitMsOf(order, policy), known);
    if (known.status !== "absent") return;
    await within(clock, ASK_MS, this.#toldOfMade(order, place));
  }

  /** Of an order that was just made: whoever is in the room and wants a job of it gets one now, if LiveKit says so. */
  async look(order: NewOrder, known: KnownRoom, namespaces: readonly string[]): Promise<void> {
    const { clock } = this.#deps;
    if (!isOpen(order)) {
      if (known.status === "live") this.#track(this.#lookIfServed(order, namespaces));
      return;
    }
    const looking = this.#lookNow(order.room);
    this.#track(looking);
    // Who makes it for a room that is being looked at must not wait for the next look.
    if (order.repeat?.by !== "id") await within(clock, ASK_MS, looking);
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #lookNow(room: string): Promise<void> {
    const { looks, reconciler, log } = this.#deps;
    if (await looks.look(room)) return;
    await reconciler.room(room).catch((error: unknown) => {
      log.warn(
        { error: String(error) },
        "the room of a new order was not looked at; the next look makes its jobs",
      );
    });
  }

  /** An order for the room has jobs for its participants too, where its agent has workers for those. */
  async #lookIfServed(order: NewOrder, namespaces: readonly string[]): Promise<void> {
    const { ledger, looks, log } = this.#deps;
    const { agent: agentName, deployment, room } = order;
    const names = (["publisher", "participant"] as const).map((type) =>
      poolName({ agentName, type, deployment }),
    );
    try {
      const known = await Promise.all(namespaces.map((namespace) => ledger.knownPools({ namespace, names })));
      if (known.some((reply) => reply.names.length > 0)) await looks.look(room);
    } catch (error) {
      log.warn({ error: String(error) }, "it is not known whom an agent serves; the next round looks");
    }
  }

  async #toldOfMade(order: NewOrder, { namespace, order: id }: OrderPlace): Promise<void> {
    const { missingRooms, ledger, metrics, policy, clock, log } = this.#deps;
    const room = await missingRooms?.made(order.room);
    if (room === undefined) return;
    const { sid: roomSid, info: roomInfo } = roomFactsOf(room, undefined, clock.now());
    const { guardMs } = policy;
    const none = { newJobs: [], opens: false, listenMs: 0, rests: -1 };
    const told = { namespace, order: id, roomSid, roomInfo, roomInfoAt: clock.now() };
    try {
      await ledger.extendOrder({ ...told, ...none, guardMs, waitMs: waitMsOf(order, policy) });
      metrics.orderRoomKnown("made");
    } catch (error) {
      log.warn({ error: String(error) }, "a new room was not told to its order; the next look tells it");
    }
  }

  #track(work: Promise<void>): void {
    const settled = work.finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
  }
}
