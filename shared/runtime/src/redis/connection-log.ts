/**
 * Owns what is logged about a Redis connection: lost, why, and back. An outage makes an error per attempt and per node,
 * so errors are logged at most once in LOG_EVERY_MS with the number of those held back. Always attached: an `error`
 * event without a listener would print a stack trace past the log.
 */
import type { EventEmitter } from "node:events";
import { type Clock, systemClock } from "../clock.js";
import type { Log } from "../log.js";

const LOG_EVERY_MS = 5_000;

export function watchConnection(client: EventEmitter, log: Log, clock: Clock = systemClock): void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let heldBack = 0;
  const onError = (error: Error, node?: string) => {
    const nowMs = clock.now();
    if (nowMs - loggedAtMs < LOG_EVERY_MS) {
      heldBack += 1;
      return;
    }
    log.warn(
      { error: error.message, ...(node === undefined ? {} : { node }), heldBack },
      "redis connection error",
    );
    loggedAtMs = nowMs;
    heldBack = 0;
  };
  client.on("error", onError);
  // A Cluster says here what its nodes' connections suffer; a single connection never emits it.
  client.on("node error", onError);
  client.on("ready", () => {
    log.info({}, "redis connected");
    loggedAtMs = Number.NEGATIVE_INFINITY;
  });
}
