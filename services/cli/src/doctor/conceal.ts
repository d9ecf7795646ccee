/**
 * The last line of defence of what is printed: takes out the secrets of the settings, should one stand in what Redis,
 * LiveKit or a library said. No check may hand one in to begin with.
 */

import type { Surroundings } from "./surroundings.js";
import { livekitKeys, musterKeys } from "./surroundings.js";

/** Shorter ones are words, and everybody knows devkey's. */
const SHORTEST = 8;

export function concealer(surroundings: Surroundings): (text: string) => string {
  const target = surroundings.redis?.target;
  const secrets = [
    ...musterKeys(surroundings).values(),
    ...livekitKeys(surroundings).values(),
    target?.password ?? "",
    target?.kind === "sentinel" ? (target.sentinelPassword ?? "") : "",
  ]
    .filter((secret) => secret.length >= SHORTEST)
    // What holds another goes first.
    .sort((one, other) => other.length - one.length);
  return (text) => secrets.reduce((said, secret) => said.replaceAll(secret, "(secret)"), text);
}
