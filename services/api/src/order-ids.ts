/**
 * The ids of an order and its jobs. Owns their derivation: what a call is known by goes in, and the same call, however
 * often and wherever it is repeated, gets the same ids; nothing else makes a repeat harmless.
 */

import { createHash } from "node:crypto";
import { idFrom } from "@muster/domain/ids";
import type { JobType } from "@muster/domain/pool";
import type { NewOrder } from "./order-request.js";

const SEPARATOR = "\0";
const RANDOM_BYTES = 16;

/**
 * With a request id: the same id for the same request id. Room, agent and deployment are in it too, since one caller's
 * id for several dispatches must not make them one: a dispatch that is silently another's would never happen.
 * With an idempotency key: the same id whatever else is asked for, so that another content under it is noticed. It is the
 * API key's own: what another one sends under the same text is another call.
 */
export function orderIdOf(order: NewOrder, randomBytes: (size: number) => Uint8Array): string {
  const { project, room, agent, deployment, repeat } = order;
  switch (repeat?.by) {
    case undefined:
      return idFrom("order", randomBytes(RANDOM_BYTES));
    case "request_id":
      return idFrom("order", digest([project, room, agent, deployment, repeat.value]));
    case "id":
      return repeat.value;
    case "idempotency_key":
      return idFrom("order", digest(["idempotency-key", project, repeat.apiKey, repeat.value]));
  }
}

/** The id that the order of an idempotency key got while keys were one project's, and not each API key's own. */
export function formerOrderIdOf({ project, repeat }: NewOrder): string | undefined {
  if (repeat?.by !== "idempotency_key") return undefined;
  return idFrom("order", digest(["idempotency-key", project, repeat.value]));
}

/** An order that a rule or a room configuration asks for in one life of a room; `index` is its place there. */
export function definedOrderId(
  project: string,
  from: { kind: "rule" | "configuration"; id: string; index: number },
  roomSid: string,
): string {
  return idFrom("order", digest([from.kind, project, from.id, roomSid, String(from.index)]));
}

/** The job of a room order in one namespace. */
export function roomJobId(orderId: string, namespace: string, room: string): string {
  return idFrom("job", digest([orderId, namespace, room]));
}

/** The job for one participant. */
export function participantJobId(
  orderId: string,
  namespace: string,
  type: JobType,
  participantSid: string,
): string {
  return idFrom("job", digest([orderId, namespace, type, participantSid]));
}

/** Parts that have the separator in them are told apart too; all others keep the ids that they had. */
function digest(parts: readonly string[]): Uint8Array {
  const isPlain = parts.every((part) => !part.includes(SEPARATOR));
  return createHash("sha256")
    .update(isPlain ? parts.join(SEPARATOR) : JSON.stringify(parts))
    .digest();
}
