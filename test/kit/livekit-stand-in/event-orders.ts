/** The ways in which events arrive: pure rearrangements of a list, for tests that must come to the same in each. */

/** `random` from 0 up to 1, so that a seeded one gives the same order again. */
export function shuffled<T>(events: readonly T[], random: () => number): T[] {
  const order = [...events];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}

/** Each one twice: the second at once, or after all the others. */
export function doubled<T>(events: readonly T[], second: "at once" | "at the end" = "at once"): T[] {
  return second === "at once" ? events.flatMap((event) => [event, event]) : [...events, ...events];
}

/** As many lists as there are events: each lacks another one. */
export function eachMissing<T>(events: readonly T[]): T[][] {
  return events.map((_, missing) => events.filter((_event, index) => index !== missing));
}
