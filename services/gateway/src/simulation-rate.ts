/**
 * Owns how often one session may ask for a job of its own making. A person who tries an agent asks for one at a time, and so do
 * LiveKit's SDKs; each costs a job in the ledger.
 */

export const SIMULATIONS_PER_S = 5;
export const SIMULATIONS_AT_ONCE = 20;

export interface SimulationRate {
  left: number;
  atMs: number;
}

/** What is left after one more; undefined: it is one too many. `before`: undefined for the first. */
export function afterSimulation(
  before: SimulationRate | undefined,
  nowMs: number,
): SimulationRate | undefined {
  const { left, atMs } = before ?? { left: SIMULATIONS_AT_ONCE, atMs: nowMs };
  const grown = left + (Math.max(0, nowMs - atMs) / 1_000) * SIMULATIONS_PER_S;
  const now = Math.min(SIMULATIONS_AT_ONCE, grown);
  return now < 1 ? undefined : { left: now - 1, atMs: nowMs };
}
