/**
 * Owns one pass over the due index for one host: names that are due, ours, and hosted nowhere are activated; names that
 * are due and hosted here are reviewed, and their marks settled by what the review says. One pass costs a read of each
 * bucket and what is due; names that rest cost nothing.
 *
 * A mark is settled only when it is older than `settleMs`, since a writer marks first and writes then: a review in
 * between sees no fact yet. What a lost wake-up costs is therefore `settleMs` and one pass.
 */
import type { Clock } from "@muster/runtime/clock";
import type { DueIndex, DueName } from "./due-index.js";

/** Names due at once beyond this are left to the next pass; the longest due come first. */
const LIMIT_PER_BUCKET = 1_000;
const REVIEWS_AT_ONCE = 32;
/** Between this many activations, others get a turn on this thread. */
const ACTIVATIONS_AT_ONCE = 64;

export interface Reviewable {
  review(): Promise<{ dueAtMs: number | undefined } | "not_running">;
}

export interface DueSweepDeps {
  index: DueIndex;
  clock: Clock;
  settleMs: number;
  owns: (name: string) => boolean;
  hosted: (name: string) => Reviewable | undefined;
  activate: (name: string) => void;
}

/**
 * The names of ours that are due still, which should not rest yet: the next pass would only activate them again.
 * Rejects when the index cannot be read or written; nothing is lost by that, the next pass begins anew.
 */
export async function sweepDue({
  index,
  clock,
  settleMs,
  owns,
  hosted,
  activate,
}: DueSweepDeps): Promise<Set<string>> {
  const stillDue = new Set<string>();
  const toReview: { due: DueName; actor: Reviewable }[] = [];
  let activations = 0;
  for (const due of await index.due(LIMIT_PER_BUCKET)) {
    // Asked anew for each: ownership may change while others get their turn.
    if (!owns(due.name)) continue;
    stillDue.add(due.name);
    const actor = hosted(due.name);
    if (actor !== undefined) {
      if (due.overdueMs >= settleMs) toReview.push({ due, actor });
      continue;
    }
    activate(due.name);
    activations += 1;
    if (activations % ACTIVATIONS_AT_ONCE === 0) {
      await new Promise<void>((resolve) => void clock.setTimer(0, resolve));
    }
  }
  for (let first = 0; first < toReview.length; first += REVIEWS_AT_ONCE) {
    const group = toReview.slice(first, first + REVIEWS_AT_ONCE);
    const settled = await Promise.all(group.map(({ due, actor }) => settle(index, due, actor)));
    for (const [at, { due }] of group.entries()) if (settled[at]) stillDue.delete(due.name);
  }
  return stillDue;
}

/** False when it was marked again meanwhile, or there was no actor to ask: the next pass looks again. */
async function settle(index: DueIndex, { name, score }: DueName, actor: Reviewable): Promise<boolean> {
  const review = await actor.review();
  if (review === "not_running") return false;
  if (review.dueAtMs === undefined) return (await index.remove(name, score)) === "removed";
  return (await index.reschedule(name, score, review.dueAtMs)) === "rescheduled";
}
