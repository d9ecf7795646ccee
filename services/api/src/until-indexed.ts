/**
 * Writes what a namespace at rest must first be listed for. The script refuses while the namespace is in no index; then
 * it is marked, and the script is called again with the count that fences the mark against an actor going to rest.
 */

import type { DueIndex } from "@muster/actor/due-index";
import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";

export interface UntilIndexedDeps {
  dueIndex: Pick<DueIndex, "markDue">;
  clock: Clock;
}

type Unindexed = { status: "unindexed"; rests: number };

/** The namespace may go to rest again between mark and write; a few times in a row is already unlikely. */
const MAX_ROUNDS = 8;
/** Well below the age at which a mark without a fact behind it is taken away (5 s). */
const FRESH_MARK_MS = 2_000;

/** @throws DispatchError `unavailable` */
export async function untilIndexed<Reply extends { status: string }>(
  { dueIndex, clock }: UntilIndexedDeps,
  namespace: string,
  write: (rests: number) => Promise<Reply | Unindexed>,
): Promise<Exclude<Reply, Unindexed>> {
  let rests = -1;
  let markedAtMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const reply = await write(rests);
    if (!isUnindexed(reply)) {
      // So slow that a sweep may have looked, seen nothing yet, and taken the mark away.
      if (clock.now() - markedAtMs >= FRESH_MARK_MS) await dueIndex.markDue(namespace);
      return reply as Exclude<Reply, Unindexed>;
    }
    markedAtMs = clock.now();
    await dueIndex.markDue(namespace);
    rests = reply.rests;
  }
  throw new DispatchError(
    "unavailable",
    "the namespace keeps going to rest; repeat the call with the same request id",
  );
}

function isUnindexed(reply: { status: string }): reply is Unindexed {
  return reply.status === "unindexed";
}
