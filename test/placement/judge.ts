/** Owns what must never be seen of a race, in words: offers to who was closed, and offers past somebody of better rank. */
import type { Race } from "./race.js";

export function offersToTheClosed({ jobs, closed }: Race): string[] {
  return [...jobs].flatMap(([job, { offers }]) =>
    offers.flatMap(({ session, at }) =>
      closed
        .filter((window) => window.session === session && window.from < at && at < window.to)
        .map(({ why }) => `${job} was offered to ${session}, which was ${why}`),
    ),
  );
}

/** Who was surely in line, was never refused, and was passed by one that stands behind it. */
export function offersOutOfOrder({ jobs }: Race): string[] {
  const found: string[] = [];
  for (const [waiting, { priority, createdAt, parkedAt, refused, offers }] of jobs) {
    const [first] = offers;
    if (parkedAt === undefined || refused === true) continue;
    for (const [other, passed] of jobs) {
      const isBehind =
        passed.priority < priority || (passed.priority === priority && passed.createdAt > createdAt);
      if (!isBehind) continue;
      const overtakes = passed.offers.filter(
        ({ at }) => at > parkedAt && at < (first?.at ?? Number.POSITIVE_INFINITY),
      );
      for (const { session } of overtakes) found.push(`${other} was offered to ${session} before ${waiting}`);
    }
  }
  return found;
}
