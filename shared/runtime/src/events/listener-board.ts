/**
 * Owns who knows whether anybody wants a project's events: without a listener no script writes any. Listeners say so for a
 * while and say it again; who writes asks, and believes an answer for a second. Wrong for that second: an event too many,
 * or the first ones after the very first listener came.
 */

import type { Clock } from "../clock.js";
import type { RedisClient } from "../redis/connect.js";
import { loadScript } from "../redis/lua-file.js";
import { runScript } from "../redis/script.js";
import { listenedKey } from "./event-keys.js";

const KEEP = loadScript("keep-listening", 1);
const CACHE_MS = 1_000;

export interface ListenerBoardDeps {
  redis: RedisClient;
  clock: Clock;
}

export class ListenerBoard {
  readonly #redis: RedisClient;
  readonly #clock: Clock;
  readonly #known = new Map<string, { isListened: Promise<boolean>; askedAtMs: number }>();

  constructor({ redis, clock }: ListenerBoardDeps) {
    this.#redis = redis;
    this.#clock = clock;
  }

  /** Somebody listens for `forMs` from now, at least. */
  async keep(project: string, forMs: number): Promise<void> {
    await runScript(this.#redis, KEEP, [listenedKey(project)], [forMs]);
  }

  /** One command a second and project, however often it is asked. Rejects when Redis cannot be asked. */
  async isListened(project: string): Promise<boolean> {
    const nowMs = this.#clock.now();
    const known = this.#known.get(project);
    if (known !== undefined && nowMs - known.askedAtMs < CACHE_MS) return await known.isListened;
    const isListened = this.#redis.exists(listenedKey(project)).then((count) => count === 1);
    this.#known.set(project, { isListened, askedAtMs: nowMs });
    isListened.catch(() => this.#known.delete(project));
    return await isListened;
  }
}
