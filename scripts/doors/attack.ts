/**
 * What an attack is: something that a single client does to one door, bounded in count and time. It runs in a process of
 * its own (attacker.ts), so that what it costs its maker does not count against the honest ones who are measured. It opens
 * real sockets and closes them when it is done; it says what it got, and which of its own bounds did not hold.
 */
import type { Random } from "../../test/cluster/siege/random.js";
import type { Tokens } from "./tokens.js";

/** In every name that an attack or a fuzzer gives, so that what it leaves in Redis is found. */
export const MARK = "evil";
/** Rooms with this beginning are declined by every honest worker, as one with malformed metadata would be. */
export const POISON = "poison-";
/** The agent that honest orders ask for. */
export const HONEST_AGENT = "honest";

export interface Scene {
  readonly gateway: string;
  readonly api: string;
  readonly tokens: Tokens;
  readonly random: Random;
  /** How long it may last. */
  readonly seconds: number;
  /** Aborts when its time is over. */
  readonly signal: AbortSignal;
  /** Of a number in full size: as many as this run is to have; at least as many as show what an open door leads to. */
  sized(full: number, least: number): number;
}

export interface Findings {
  /** What it got, for the table. */
  readonly figures: Readonly<Record<string, number>>;
  /** What must not be and was, in words. */
  readonly broken: readonly string[];
}

export interface Attack {
  readonly name: string;
  /** One line: who does what. */
  readonly about: string;
  /**
   * `refused`: all of it must be refused, so no key of Redis may have come of it. `allowed`: it may leave something, as whoever may
   * do it would.
   */
  readonly leaves: "refused" | "allowed";
  /** What it leaves would change what the next one meets: a house of its own for that. */
  readonly spoils?: boolean;
  /** How long it must be able to last to show anything, in s. */
  readonly leastSeconds?: number;
  run(scene: Scene): Promise<Findings>;
}
