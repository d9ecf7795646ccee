/** Owns the distributions that arrivals, job lengths and noise are drawn from. All chance comes from a seeded source. */
import type { Random } from "../cluster/siege/random.js";

/** Normal, of mean 0 and deviation 1 (Box and Muller); always takes two numbers of the source. */
export function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}

/** The time to the next arrival of a Poisson process. */
export function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random.next());
}

/** Log-normal of this mean; `spread` is the deviation of its logarithm, 0 gives the mean itself. */
export function logNormal(random: Random, mean: number, spread: number): number {
  return mean * Math.exp(spread * normal(random) - (spread * spread) / 2);
}
