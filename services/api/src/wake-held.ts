/**
 * A namespace rests while all that waits there is on hold. Whoever is about to end some of that wakes it first, so that what
 * is told of it gets out, and what is kept of it is swept. Died after it: the namespace goes to rest again.
 */

import type { Ledger } from "@muster/ledger/ledger";
import type { KnownListeners } from "./known-listeners.js";
import { type UntilIndexedDeps, untilIndexed } from "./until-indexed.js";

export interface WakeHeldDeps extends UntilIndexedDeps {
  ledger: Pick<Ledger, "wakeNamespace">;
  listeners: Pick<KnownListeners, "listenMs">;
}

/** Orders or jobs; costs nothing when none of them is on hold. @throws DispatchError `unavailable` */
export async function wakeHeld(
  deps: WakeHeldDeps,
  namespace: string,
  affected: readonly { isHeld: boolean }[],
): Promise<void> {
  if (!affected.some(({ isHeld }) => isHeld)) return;
  const listenMs = await deps.listeners.listenMs(namespace);
  await untilIndexed(deps, namespace, (rests) => deps.ledger.wakeNamespace({ namespace, listenMs, rests }));
}
