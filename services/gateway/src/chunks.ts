/**
 * Owns the bound on what one script call carries: the loops of a script run for as long as nothing else on its slot does.
 */

export const MAX_PER_CALL = 256;

/** In order, at most `size` to each; none for an empty list. */
export function chunksOf<T>(items: readonly T[], size: number = MAX_PER_CALL): T[][] {
  const chunks: T[][] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}
