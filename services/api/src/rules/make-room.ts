/**
 * Makes a room in LiveKit, with the orders of a room configuration. Three steps, each of which can be repeated:
 *
 * 1. The room, in LiveKit, which answers the one that is live when there is one. Died after it: the room is there without
 *    its agents; the repeat goes on, or LiveKit closes it when nobody comes.
 * 2. The orders, under ids that follow from configuration and life: a rule that names the same configuration means the same.
 *    Died among them: the repeat makes the others.
 * 3. What LiveKit said of the room goes where all words on rooms go, so that rules are followed at once. Died before it:
 *    LiveKit's webhook, or the next round, brings the same.
 */

import { DispatchError } from "@muster/domain/errors";
import { roomFactsOf } from "@muster/livekit/facts";
import type { NewRoom, RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import type { Room } from "@muster/wire/generated/livekit";
import type { AcceptedOrder, AcceptOrder } from "../accept-order.js";
import { livekitRefusal } from "../livekit-refusal.js";
import type { RoomIntake } from "../rooms/book/room-intake.js";
import { acceptPlanned } from "./accept-planned.js";
import type { Definitions } from "./definitions.js";
import { plannedOrders } from "./plan-orders.js";

export interface MakeRoomDeps {
  /** undefined: no LiveKit is known of. */
  roomService: Pick<RoomService, "createRoom"> | undefined;
  definitions: Pick<Definitions, "of">;
  acceptOrder: Pick<AcceptOrder, "accept">;
  intake: RoomIntake;
  clock: Clock;
}

export interface MadeRoom {
  room: Room;
  orders: AcceptedOrder[];
}

export class MakeRoom {
  readonly #deps: MakeRoomDeps;

  constructor(deps: MakeRoomDeps) {
    this.#deps = deps;
  }

  /**
   * @throws DispatchError `invalid_argument` (no such configuration, or LiveKit refuses the room), `failed_precondition`
   *   (no LiveKit to ask), `unavailable`; to be repeated after the last
   */
  async make(project: string, asked: NewRoom, configuration: string | undefined): Promise<MadeRoom> {
    const { roomService, definitions, acceptOrder, intake, clock } = this.#deps;
    if (roomService === undefined) {
      throw new DispatchError(
        "failed_precondition",
        "rooms are made by LiveKit; tell Muster of it: MUSTER_LIVEKIT_URL",
      );
    }
    const found =
      configuration === undefined
        ? undefined
        : (await definitions.of(project)).configurations.get(configuration)?.body;
    if (configuration !== undefined && found === undefined) {
      throw new DispatchError(
        "invalid_argument",
        `there is no room configuration ${configuration}`,
        "configuration",
      );
    }
    const metadata = asked.metadata ?? found?.metadata;
    const askedAtMs = clock.now();
    const room = await roomService
      .createRoom({ ...asked, ...(metadata !== undefined && { metadata }) })
      .catch((error: unknown) => {
        throw livekitRefusal(error);
      });
    const orders: AcceptedOrder[] = [];
    for (const planned of plannedOrders("configuration", configuration ?? "", found?.agents ?? [])) {
      orders.push(await acceptPlanned(acceptOrder, planned, { project, room: room.name, sid: room.sid }));
    }
    await intake.take(roomFactsOf(room, undefined, askedAtMs));
    return { room, orders };
  }
}
