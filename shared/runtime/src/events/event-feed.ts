/**
 * Owns the feed of one project: its events in one order, the newest of them kept, read by any number of readers with a
 * cursor each. Appending is idempotent: an event is in it once, however often it is brought. Wakes nobody.
 */

import { type JobEvent, readJobEvent } from "@muster/domain/job-event";
import type { RedisClient } from "../redis/connect.js";
import { loadScript, statusReply } from "../redis/lua-file.js";
import { runScript } from "../redis/script.js";
import { feedKey, movedKey } from "./event-keys.js";
import { compareStreamIds, FIRST_ID } from "./stream-id.js";

const APPEND = loadScript("append-events", 2);

/** At some 600 bytes each, about 30 MB; trimmed by whole nodes, so a hundred more may be there. */
export const FEED_KEEPS = 50_000;
/** Far longer than a mover can be between appending and emptying the outbox. */
const REMEMBER_MS = 24 * 3_600_000;

export interface FeedEntry {
  /** Of this entry; what comes after it is read with it. */
  cursor: string;
  event: JobEvent;
}

export interface OutboxEvent {
  /** Its id in the outbox of its namespace. */
  outboxId: string;
  event: JobEvent;
}

export interface EventFeedDeps {
  redis: RedisClient;
  project: string;
  /** Events that are kept at least. */
  keeps?: number;
}

export class EventFeed {
  readonly project: string;
  readonly #redis: RedisClient;
  readonly #keeps: number;

  constructor({ redis, project, keeps = FEED_KEEPS }: EventFeedDeps) {
    this.project = project;
    this.#redis = redis;
    this.#keeps = keeps;
  }

  /** Events of one namespace, in the order of its outbox. Answers how many were new. */
  async append(namespace: string, events: readonly OutboxEvent[]): Promise<number> {
    if (events.length === 0) return 0;
    const keys = [feedKey(this.project), movedKey(namespace, this.project)];
    const pairs = events.flatMap(({ outboxId, event }) => [outboxId, JSON.stringify(event)]);
    const reply = await runScript(this.#redis, APPEND, keys, [this.#keeps, REMEMBER_MS, ...pairs]);
    return Number(statusReply(reply, APPEND).rest[0]);
  }

  /** The oldest `limit` entries behind `cursor`. */
  async after(cursor: string, limit: number): Promise<FeedEntry[]> {
    const entries = await this.#redis.xrange(feedKey(this.project), `(${cursor}`, "+", "COUNT", limit);
    return entries.flatMap(([cursor, [, text = ""]]) => {
      const event = readJobEvent(text);
      return event === undefined ? [] : [{ cursor, event }];
    });
  }

  /** Where somebody begins who wants only what is still to come. */
  async end(): Promise<string> {
    const [newest] = await this.#redis.xrevrange(feedKey(this.project), "+", "-", "COUNT", 1);
    return newest?.[0] ?? FIRST_ID;
  }

  /** Whether entries behind `cursor` may have fallen off already: the one that it names is no longer there. */
  async hasLost(cursor: string): Promise<boolean> {
    if (cursor === FIRST_ID) return false;
    const [oldest] = await this.#redis.xrange(feedKey(this.project), "-", "+", "COUNT", 1);
    return oldest !== undefined && compareStreamIds(oldest[0], cursor) > 0;
  }
}
