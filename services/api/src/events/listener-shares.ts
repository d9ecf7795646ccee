/**
 * Who has to go when one more wants to listen. Pure. One token has at most its share, and beyond it takes the place of its own
 * oldest stream. When there are no more places, who has many makes room for who has few, first between keys, then between the
 * tokens of one: with a token for each, nobody is sent away for another.
 */

import type { DoorPolicy } from "../door-policy.js";

export interface ListenerOwner {
  /** API key. */
  key: string;
  /** Of its token; anything that no other token has. */
  token: string;
}

export type ListenerBounds = Pick<DoorPolicy, "eventStreams" | "eventStreamsPerToken" | "eventStreamsPerKey">;

interface Owned {
  readonly owner: ListenerOwner;
}

export type Verdict<L> = { status: "free" } | { status: "displaces"; listener: L } | { status: "full" };

/** `all`: the oldest first. */
export function verdictOn<L extends Owned>(
  all: readonly L[],
  newcomer: ListenerOwner,
  { eventStreams, eventStreamsPerToken, eventStreamsPerKey }: ListenerBounds,
): Verdict<L> {
  const own = all.filter(({ owner }) => isSame(owner, newcomer));
  const [oldestOwn] = own;
  if (oldestOwn !== undefined && own.length >= eventStreamsPerToken)
    return { status: "displaces", listener: oldestOwn };
  if (all.length < eventStreams) return { status: "free" };
  const byKey = groups(all, ({ owner }) => owner.key);
  const [most = []] = [...byKey.values()].sort((a, b) => b.length - a.length);
  const mine = byKey.get(newcomer.key) ?? [];
  const isGreedy = most.length > eventStreamsPerKey && most.length > mine.length + 1;
  const listener = oldestOfGreediest(isGreedy ? most : mine, newcomer, isGreedy ? 1 : own.length + 2);
  return listener === undefined ? { status: "full" } : { status: "displaces", listener };
}

/** Of the token with the most streams, if these are so many at least. Its own, where it has as many as anybody. */
function oldestOfGreediest<L extends Owned>(
  all: readonly L[],
  newcomer: ListenerOwner,
  atLeast: number,
): L | undefined {
  const tokens = [...groups(all, ({ owner }) => owner.token).values()].sort((a, b) => b.length - a.length);
  const [[greediest, ...others] = []] = tokens;
  if (greediest !== undefined && others.length + 1 >= atLeast) return greediest;
  return all.find(({ owner }) => isSame(owner, newcomer));
}

function groups<L>(all: readonly L[], nameOf: (one: L) => string): Map<string, L[]> {
  const grouped = new Map<string, L[]>();
  for (const one of all) {
    const group = grouped.get(nameOf(one));
    if (group === undefined) grouped.set(nameOf(one), [one]);
    else group.push(one);
  }
  return grouped;
}

function isSame(a: ListenerOwner, b: ListenerOwner): boolean {
  return a.key === b.key && a.token === b.token;
}
