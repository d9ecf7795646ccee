/**
 * Paging over the ledger's lists. Owns the cursor, which callers hand back as they got it: the list and a rank in it.
 * Ranks shift as things come and go, so a page may repeat or miss what changed meanwhile; nothing else.
 */

import { z } from "@hono/zod-openapi";
import { DispatchError } from "@muster/domain/errors";

export const MAX_PAGE = 500;
export const DEFAULT_PAGE = 100;
const MAX_RANK = 1_000_000_000;

/** In decimal digits alone: what Number makes of `0x10`, `1e2` or an empty text, nobody meant. */
export const PageLimit = z
  .string()
  .regex(/^\d{1,9}$/, `must be a whole number, 1-${MAX_PAGE}, in decimal digits`)
  .transform(Number)
  .pipe(z.int().min(1).max(MAX_PAGE))
  .default(DEFAULT_PAGE)
  .openapi({ type: "integer", minimum: 1, maximum: MAX_PAGE, default: DEFAULT_PAGE });

export type List =
  | "sessions"
  | "jobs"
  | "ended-jobs"
  | "orders"
  | "ended-orders"
  | "rules"
  | "pools"
  | "configurations";

export function rankOf(cursor: string | undefined, list: List): number {
  if (cursor === undefined) return 0;
  const [, named, rank] =
    /^([a-z-]+):(\d{1,10})$/.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? [];
  if (named !== list || Number(rank) > MAX_RANK) {
    throw new DispatchError(
      "invalid_argument",
      "is not a cursor of this list; leave it out to begin anew",
      "cursor",
    );
  }
  return Number(rank);
}

/** Where the next page begins; null behind the last. */
export function nextCursor(list: List, nextRank: number, total: number): string | null {
  return nextRank < total ? Buffer.from(`${list}:${nextRank}`).toString("base64url") : null;
}
