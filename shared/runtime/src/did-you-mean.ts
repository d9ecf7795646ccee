/** Owns the guess at what somebody meant to write, for errors about unknown names. */

/** `; did you mean "x"?` when one of `known` is close to `text`, else nothing. */
export function suggestion(text: string, known: readonly string[]): string {
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    // A name begun is close however much is missing: "grace" for "graceMs".
    const isBegun = text.length >= 3 && name.toLowerCase().startsWith(text.toLowerCase());
    const distance = isBegun ? 1 : editDistance(text.toLowerCase(), name.toLowerCase());
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  // A third of the letters wrong is another word.
  if (best === undefined || best.distance > Math.max(1, text.length / 3)) return "";
  return `; did you mean "${best.name}"?`;
}

/** Levenshtein's: letters to insert, remove or replace. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
