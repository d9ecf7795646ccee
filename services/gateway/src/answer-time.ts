/**
 * Owns how long a worker is given to answer offers, from how long it took. Pure. A late answer lengthens the time at once, to
 * half as much again; quick answers shorten it in steps, down to what every worker is given.
 */

const SPARE = 1.5;
/** Closer to the shortest than this is the shortest. */
const NEAR = 1.1;
/** Differences below this are not worth a word to the ledger. */
const WORTH = 0.8;

/** What a worker gets that took so long, at most `maxMs`; never less than it had. */
export function lengthened(givenMs: number | undefined, tookMs: number, maxMs: number): number {
  return Math.max(givenMs ?? 0, Math.min(maxMs, Math.ceil(tookMs * SPARE)));
}

/** What it gets after it answered within its time; undefined: as before. */
export function shortened(givenMs: number, tookMs: number, leastMs: number): number | undefined {
  const neededMs = Math.max(leastMs, Math.ceil(tookMs * SPARE));
  if (givenMs <= leastMs || neededMs > givenMs * WORTH) return undefined;
  const nextMs = Math.ceil((givenMs + neededMs) / 2);
  return nextMs <= leastMs * NEAR ? leastMs : nextMs;
}
