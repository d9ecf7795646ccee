/**
 * Follows a project's rules when a room's life begins: the orders of each that applies are made, and those of the room
 * configurations that rules or the room's metadata name. Once in each life: a rule that is made later does not reach into
 * rooms that live.
 *
 * 1. Is this life marked? 2. The definitions, as they are now. 3. Their orders, under ids that follow from definition and
 * life. 4. The mark. Died before it: the next word of the room, or the next round, does all of it again and makes what is
 * missing. Two at once make the same. An order that is in no state to be made is logged and left; it holds up no other.
 */

import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import type { Ledger } from "@muster/ledger/ledger";
import type { RoomService } from "@muster/livekit/room-service";
import type { Log } from "@muster/runtime/log";
import { Room } from "@muster/wire/generated/livekit";
import type { AcceptOrder } from "../accept-order.js";
import type { ApiMetrics } from "../metrics.js";
import { LivesSeen } from "../rooms/people/lives-seen.js";
import type { RoomReconciler } from "../rooms/reconcile-room.js";
import { acceptPlanned, type RoomLife } from "./accept-planned.js";
import type { Definitions } from "./definitions.js";
import { type NamedConfiguration, type PlannedOrder, planOrders } from "./plan-orders.js";

export interface FollowRulesDeps {
  ledger: Pick<Ledger, "followRules">;
  definitions: Pick<Definitions, "of">;
  /** undefined: LiveKit cannot be asked; a room whose description nobody told yet then waits for that. */
  roomService: Pick<RoomService, "listRooms"> | undefined;
  acceptOrder: Pick<AcceptOrder, "accept">;
  reconciler: RoomReconciler;
  /** Whose rules: one LiveKit serves them all. */
  projects: readonly string[];
  metrics: Pick<ApiMetrics, "orderAccepted" | "orderMerged" | "orderRefused" | "configurationMissing">;
  log: Log;
}

/** A room's present life, with its Room message in base64; empty while nobody described it. */
export interface BegunLife {
  room: string;
  sid: string;
  info: string;
}

/** Longer than any room is reckoned to live without a look at it. */
const KEEP_MS = 7 * 24 * 3_600_000;
const ORDERS_AT_ONCE = 8;
const MAX_MISSING_KNOWN = 1_000;

export class FollowRules {
  readonly #deps: FollowRulesDeps;
  readonly #seen = new LivesSeen();
  /** Configurations that are named and not there, of which the log tells already. */
  readonly #missing = new Set<string>();

  constructor(deps: FollowRulesDeps) {
    this.#deps = deps;
  }

  /** Rejects when Redis or LiveKit cannot be asked; to be repeated then. */
  async look(life: BegunLife): Promise<void> {
    const { ledger, projects, reconciler } = this.#deps;
    const { room, sid } = life;
    let made = 0;
    for (const project of projects) {
      const mark = { room, sid, project, keepMs: KEEP_MS };
      if ((await ledger.followRules({ ...mark, isDone: false })).done === 1) continue;
      const metadata = await this.#metadataOf(life);
      // Rules cannot tell yet whether they apply: whoever describes the room comes by here again.
      if (metadata === undefined) return;
      made += await this.#follow({ project, room, sid }, metadata);
      await ledger.followRules({ ...mark, isDone: true });
    }
    this.#seen.add(sid);
    // What was made for a life that ended meanwhile ends with it, and the others learn of who is there.
    if (made > 0) await reconciler.room(room);
  }

  /** For each word that is heard of a room, until its life is followed. Never rejects: later words and rounds repeat it. */
  async lookOnce(life: BegunLife): Promise<void> {
    if (this.#seen.has(life.sid)) return;
    await this.look(life).catch((error: unknown) => {
      this.#deps.log.warn({ error: String(error) }, "rules were not followed in a room; the next round does");
    });
  }

  async #metadataOf({ room, sid, info }: BegunLife): Promise<string | undefined> {
    if (info !== "") return Room.decode(Buffer.from(info, "base64")).metadata;
    const live = await this.#deps.roomService?.listRooms([room]);
    return live?.find((one) => one.sid === sid)?.metadata;
  }

  async #follow(life: RoomLife, metadata: string): Promise<number> {
    const plan = planOrders(await this.#deps.definitions.of(life.project), { name: life.room, metadata });
    for (const named of plan.named) if (!named.isKnown) this.#tellMissing(life.project, named);
    for (let first = 0; first < plan.orders.length; first += ORDERS_AT_ONCE) {
      const some = plan.orders.slice(first, first + ORDERS_AT_ONCE);
      await Promise.all(some.map((planned) => this.#make(planned, life)));
    }
    return plan.orders.length;
  }

  async #make(planned: PlannedOrder, life: RoomLife): Promise<void> {
    const { acceptOrder, metrics, log } = this.#deps;
    try {
      const { status } = await acceptPlanned(acceptOrder, planned, life);
      if (status === "created") metrics.orderAccepted("rule");
      if (status === "merged") metrics.orderMerged("rule");
    } catch (error) {
      if (!(error instanceof DispatchError) || error.code === "unavailable") throw error;
      metrics.orderRefused("rule");
      const { kind, id, index } = planned.from;
      log.warn({ [kind]: id, index, error: error.message }, "an order that a rule asks for is out of bounds");
    }
  }

  #tellMissing(project: string, { id, rule }: NamedConfiguration): void {
    const { metrics, log } = this.#deps;
    metrics.configurationMissing(rule === undefined ? "metadata" : "rule");
    const configuration = isId(id) ? id : "(no id)";
    const name = `${project}\0${rule ?? ""}\0${configuration}`;
    if (this.#missing.has(name) || this.#missing.size >= MAX_MISSING_KNOWN) return;
    this.#missing.add(name);
    log.warn(
      { configuration, namedBy: rule === undefined ? "metadata of a room" : `rule ${rule}` },
      "there is no such room configuration; nothing is ordered by it until there is",
    );
  }
}
