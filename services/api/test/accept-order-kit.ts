/** Taking orders in as an api does, from its parts, for suites in which one of these parts fails. */

import { randomBytes } from "node:crypto";
import { createActorLink } from "@muster/actor/actor-link";
import { createDueIndex } from "@muster/actor/due-index";
import { createNodeDirectory } from "@muster/actor/node-directory";
import { createOutbox } from "@muster/actor/outbox";
import type { NamespaceMessage } from "@muster/domain/node-message";
import { createLedger } from "@muster/ledger/ledger";
import { systemClock as clock } from "@muster/runtime/clock";
import { createIntakeProducer, type IntakeProducer } from "@muster/runtime/queue/intake-producer";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { AcceptOrder, type AcceptOrderDeps } from "../src/accept-order.js";
import { Enqueue } from "../src/enqueue.js";
import { Hints } from "../src/hints.js";
import { KnownNamespaces } from "../src/known-namespaces.js";
import { Placement } from "../src/placement.js";
import { OrderRoom } from "../src/rooms/making/order-room.js";
import type { RoomReconciler } from "../src/rooms/reconcile-room.js";
import * as kit from "./kit.js";

export interface IntakeParts {
  ledger: ReturnType<typeof createLedger>;
  dueIndex: AcceptOrderDeps["dueIndex"];
  producer: Pick<IntakeProducer, "add">;
}

export function intakeParts(redis: RedisClient): IntakeParts {
  return {
    ledger: createLedger(redis),
    dueIndex: createDueIndex({ redis }),
    producer: createIntakeProducer({ redis, log: kit.silent, clock }),
  };
}

/** Of these parts; the rest is as it is in an api. */
export function acceptOrderOf(
  redis: RedisClient,
  { ledger, dueIndex, producer }: IntakeParts,
  reconciler: RoomReconciler = kit.recordedLooks(),
): AcceptOrder {
  const outbox = createOutbox({ redis, clock, log: kit.silent });
  const directory = createNodeDirectory({ redis, clock });
  const actors = createActorLink<NamespaceMessage>({ directory, outbox, role: "dispatcher" });
  const known = new KnownNamespaces({ ledger, clock });
  const { policy, silent: log } = kit;
  const metrics = { orderRoomKnown: () => undefined };
  // No LiveKit is known of.
  const orderRoom = new OrderRoom({
    ...{ ledger, reconciler, metrics, policy, clock, log, missingRooms: undefined },
    ...{ knownRooms: { of: async () => ({ status: "unknown" }) }, looks: { look: async () => false } },
  });
  return new AcceptOrder({
    ...{ ledger, dueIndex, orderRoom, clock, randomBytes, policy },
    placement: new Placement({ ledger, known, policy }),
    enqueue: new Enqueue({ producer, hints: new Hints({ actors, outbox, log }) }),
    listeners: { listenMs: async () => 0 },
  });
}
