/**
 * What the checks are given: the settings, the clock, and ways to Redis and LiveKit that several of them go. Decides
 * nothing. `clock` and `loadUws` are handed in, so that a test can set them wrong.
 */

import type { Clock } from "@muster/runtime/clock";
import type { ServiceName, Settings } from "../config.js";
import { Skip } from "./finding.js";
import type { RedisAccess } from "./redis-access.js";

export interface Surroundings {
  readonly settings: Settings;
  /** Those that run, or are to run, with these settings. */
  readonly services: readonly ServiceName[];
  /** All that keeps a service from starting with these settings; [] for one that would start. */
  readonly problemsOf: (service: ServiceName) => readonly string[];
  readonly clock: Clock;
  /** undefined: no redisUrl is given. */
  readonly redis: RedisAccess | undefined;
  /** Rejects where the gateway's native library does not load. */
  readonly loadUws: () => Promise<unknown>;
  /** Of this run, a few letters: for the names of rooms and keys that a check makes. */
  readonly mark: string;
}

/** @throws Skip */
export function redisOf({ redis }: Surroundings): RedisAccess {
  if (redis === undefined) throw new Skip("MUSTER_REDIS_URL is not set");
  return redis;
}

/** Muster's own, with devkey where that is in force. */
export function musterKeys({ settings, services }: Surroundings): ReadonlyMap<string, string> {
  const { keys, dev } = settings;
  const isDev = dev || (keys === undefined && services.includes("standalone"));
  return new Map([...(isDev ? [["devkey", "secret"] as const] : []), ...(keys ?? [])]);
}

/** Those that LiveKit is asked with; the first signs. */
export function livekitKeys(surroundings: Surroundings): ReadonlyMap<string, string> {
  return surroundings.settings.livekitKeys ?? musterKeys(surroundings);
}
