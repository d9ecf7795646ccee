/** Owns the guess at what somebody meant to write, for errors about unknown names. */

/** `; did you mean "x"?` when one of `known` is close to `text`, else nothing. */
export function suggestion(text: string, known: readonly string[]): string {
  const name = closest(text, known);
  return name === undefined ? "" : `; did you mean "${name}"?`;
}

/** The one of `known` that `text` was probably meant to be. */
export function closest(text: string, known: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    // A name begun is close however much is missing: "grace" for "graceMs".
    const isBegun = text.length >= 3 && name.toLowerCase().startsWith(text.toLowerCase());
    const distance = isBegun ? 1 : editDistance(text.toLowerCase(), name.toLowerCase());
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  // A third of the letters wrong is another word.
  return best === undefined || best.distance > Math.max(1, text.length / 3) ? undefined : best.name;
}

/** Letters to insert, remove or replace; two that changed places count as one. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const isSwap = column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = isSwap ? (beforeLast[column - 2] ?? 0) + 1 : replaced;
      current.push(Math.min(replaced, swapped, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    beforeLast = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}
