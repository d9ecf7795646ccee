/**
 * An order in the ledger's words: what is kept of it, and the jobs that it has from its first moment. Owns what the
 * settings fill in, which is fixed when an order is made: later settings are for later orders.
 */

import { encodeFallback } from "@muster/domain/fallback";
import { poolName } from "@muster/domain/pool";
import { encodePreferences } from "@muster/domain/preferences";
import { encodeTarget } from "@muster/domain/target";
import type { NewJob } from "@muster/ledger/shapes";
import { roomJobId } from "./order-ids.js";
import type { NewOrder } from "./order-request.js";
import type { OrderPolicy } from "./policy.js";
import type { KnownRoom } from "./rooms/making/known-rooms.js";
import { type AskedFacts, askedDigest } from "./same-order.js";

/** Makes jobs as participants come, instead of one for the room. */
export function isOpen({ target }: NewOrder): boolean {
  return target.for !== "room";
}

export type OrderSettings = Pick<OrderPolicy, "maxAttempts" | "waitMs">;

export function waitMsOf(order: NewOrder, settings: OrderSettings): number {
  return order.waitMs ?? settings.waitMs;
}

/**
 * Only what is not as it mostly is: each field costs with each read of the order. One for a room that lives is bound to that
 * life from the start, as it would be at the next word of the room.
 */
export function orderFacts(order: NewOrder, settings: OrderSettings, room: KnownRoom): AskedFacts {
  const { agent, deployment, attributes, priority, restartPolicy, fallback, repeat } = order;
  return {
    ...{ agent, deployment, metadata: order.metadata },
    ...{ attributes: JSON.stringify(attributes), priority, restart_policy: restartPolicy },
    target: encodeTarget(order.target),
    ...(isOpen(order) && { open: 1 }),
    ...((isOpen(order) || order.waitMs !== undefined) && { wait_ms: waitMsOf(order, settings) }),
    ...((isOpen(order) || order.maxAttempts !== undefined) && { max_attempts: attemptsOf(order, settings) }),
    ...(room.status === "live" && { room_sid: room.sid }),
    ...(order.roomSid !== undefined && { room_sid: order.roomSid, one_life: 1 }),
    ...(fallback.length > 0 && { fallback: encodeFallback({ agentName: agent, deployment }, fallback) }),
    ...(order.hold && { held: 1 }),
    ...(order.onePerRoom !== undefined && { one_per_room: order.onePerRoom ? 1 : 0 }),
    ...(order.keepWaiting === true && { keep_waiting: 1 }),
    ...(order.preferences !== undefined && encodePreferences(order.preferences)),
    ...(repeat?.by === "idempotency_key" && { asked: askedDigest(order) }),
  };
}

/** One for the room, with what is known of that; none for an open order. */
export function firstJobs(
  namespace: string,
  order: NewOrder,
  id: string,
  settings: OrderSettings,
  known: KnownRoom,
): NewJob[] {
  if (isOpen(order)) return [];
  const { room, agent, deployment } = order;
  const job = {
    id: roomJobId(id, namespace, room),
    type: "room",
    pool: poolName({ agentName: agent, type: "room", deployment }),
    max_attempts: attemptsOf(order, settings),
  };
  const told =
    known.status === "live"
      ? { room_sid: known.sid, room_info: known.info, room_info_at: known.infoAtMs }
      : { room_sid: order.roomSid ?? "" };
  return [{ ...job, ...told, participant_info: "" }];
}

function attemptsOf(order: NewOrder, settings: OrderSettings): number {
  return order.maxAttempts ?? settings.maxAttempts;
}
