/**
 * Whether a call under an idempotency key asks for what the first call under it asked for. Owns the digest that is kept
 * with the order, and the refusal. Read from the order itself, so a key is remembered exactly as long as its order is
 * kept, live or not, and there is no second state that could say otherwise. A call that was merged made none: what it asked
 * for is kept beside the answer, as long as an order that ended at that moment.
 *
 * What a setting fills in is not in the digest: a repeat is the same call also when the settings changed meanwhile.
 */

import { createHash } from "node:crypto";
import { DispatchError } from "@muster/domain/errors";
import { encodePreferences } from "@muster/domain/preferences";
import { encodeTarget } from "@muster/domain/target";
import type { Ledger } from "@muster/ledger/ledger";
import type { OrderFacts } from "@muster/ledger/shapes";
import type { NewOrder } from "./order-request.js";

/** An order's facts, with the digest of what was asked for where a key may bring the call again. */
export type AskedFacts = OrderFacts & { asked?: string };

export function askedDigest(order: NewOrder): string {
  const attributes = Object.entries(order.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const content = [
    ...[order.room, order.agent, order.deployment, order.metadata, attributes, order.priority],
    ...[order.restartPolicy, encodeTarget(order.target)],
    // null is "not given", which is not the same as giving the default.
    ...[order.namespace ?? null, order.waitMs ?? null, order.maxAttempts ?? null],
    // As they came later: what was asked for before there were any is still the same.
    ...(order.fallback.length > 0 ? [order.fallback] : []),
    ...(order.hold ? ["hold"] : []),
    ...(order.onePerRoom === undefined ? [] : [`one_per_room ${order.onePerRoom}`]),
    ...(order.keepWaiting === true ? ["keep_waiting"] : []),
    ...(order.preferences === undefined ? [] : [encodePreferences(order.preferences)]),
  ];
  return createHash("sha256").update(JSON.stringify(content)).digest("base64url");
}

/**
 * Whether there is an earlier call in one of them.
 * Nothing to see where the order is not, or came back from its running job after Redis had forgotten all else.
 * @throws DispatchError `already_exists`
 */
export async function refuseAnother(
  ledger: Pick<Ledger, "findCall">,
  order: NewOrder,
  id: string,
  namespaces: readonly string[],
): Promise<boolean> {
  const found = await Promise.all(namespaces.map((namespace) => ledger.findCall({ namespace, order: id })));
  for (const call of found) if (call.status === "found") refuseOther(order, call.asked);
  return found.some(({ status }) => status === "found");
}

/**
 * The same where it is known already what the earlier call asked for; "": not known.
 * @throws DispatchError `already_exists`
 */
export function refuseOther(order: NewOrder, earlier: string): void {
  if (order.repeat?.by !== "idempotency_key" || earlier === "" || earlier === askedDigest(order)) return;
  throw new DispatchError(
    "already_exists",
    "was used for an order with another content; send a new key for a new order",
    "idempotency-key",
  );
}
