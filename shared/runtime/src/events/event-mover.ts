/**
 * Owns the way of events from the outboxes of namespaces, where scripts leave them, to the feeds of their projects. Keeps
 * nothing: an outbox is emptied only of what is in the feed, so whoever dies in between leaves the rest to the next one,
 * and two at once do no harm. When to look is the caller's: the host of the namespace, which knows when it is awake.
 */

import { projectOf } from "@muster/domain/namespace";
import type { Log } from "../log.js";
import type { RedisClient } from "../redis/connect.js";
import { EventFeed, type OutboxEvent } from "./event-feed.js";
import { outboxKey } from "./event-keys.js";
import { jobEventOf } from "./outbox-entry.js";

export interface EventMoverDeps {
  redis: RedisClient;
  log: Log;
}

/** Moved at once; a longer outbox takes several. */
const MOVED_AT_ONCE = 256;

export class EventMover {
  readonly #redis: RedisClient;
  readonly #log: Log;

  constructor({ redis, log }: EventMoverDeps) {
    this.#redis = redis;
    this.#log = log;
  }

  /** Moves what is there now, oldest first. Three commands for up to 256 events; one when there are none. */
  async move(namespace: string): Promise<number> {
    const feed = new EventFeed({ redis: this.#redis, project: projectOf(namespace) });
    const outbox = outboxKey(namespace);
    for (let moved = 0; ; ) {
      const entries = await this.#redis.xrange(outbox, "-", "+", "COUNT", MOVED_AT_ONCE);
      const last = entries.at(-1)?.[0];
      if (last === undefined) return moved;
      const events: OutboxEvent[] = [];
      for (const [outboxId, fields] of entries) {
        const event = jobEventOf(namespace, outboxId, fields);
        if (event === undefined)
          this.#log.warn(
            { namespace, entry: outboxId },
            "dropped what is no event that this version knows; a newer one may have written it",
          );
        else events.push({ outboxId, event });
      }
      moved += await feed.append(namespace, events);
      await this.#redis.xtrim(outbox, "MINID", followingId(last));
      if (entries.length < MOVED_AT_ONCE) return moved;
    }
  }
}

function followingId(id: string): string {
  const [ms, number] = id.split("-");
  return `${ms}-${Number(number) + 1}`;
}
