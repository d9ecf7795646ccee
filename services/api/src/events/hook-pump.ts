/**
 * Owns the way from a project's feed into the lanes of one hook: a lane a job, so that a job's events are delivered in
 * order and no job waits for another. Of all api processes one has the turn; when it dies another takes over where the
 * cursor in Redis stands. Takes in no more than what a broken receiver may pile up; the feed keeps the rest, as far as it
 * goes.
 */

import type { Clock } from "@muster/runtime/clock";
import type { EventFeed, FeedEntry } from "@muster/runtime/events/event-feed";
import type { Log } from "@muster/runtime/log";
import type { LaneQueue } from "@muster/runtime/queue/lane-queue";
import type { LaneItem } from "@muster/runtime/queue/lanes";
import type { EventMetrics } from "./event-metrics.js";

export interface PumpTiming {
  /** How often the one that has the turn looks for new events. */
  lookEveryMs: number;
  /** How long a turn lasts that nobody renews. The others ask for it three times as often. */
  turnMs: number;
}

export const PUMP_TIMING: PumpTiming = { lookEveryMs: 200, turnMs: 3_000 };

const TAKEN_AT_ONCE = 256;
/** Events of one hook that are taken in and not delivered. */
const MOST_PENDING = 10_000;

export interface HookPumpDeps {
  feed: EventFeed;
  queue: LaneQueue;
  /** Of this process. */
  who: string;
  timing: PumpTiming;
  metrics: Pick<EventMetrics, "eventsMissed">;
  clock: Clock;
  log: Log;
}

export class HookPump {
  readonly #deps: HookPumpDeps;
  #isStopped = false;
  #looking: Promise<void> = Promise.resolve();
  #cancelTimer = () => {};

  constructor(deps: HookPumpDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#looking = this.#look();
  }

  /** Nothing is taken in any more; another process may have the turn at once. */
  async stop(): Promise<void> {
    const { queue, who, log } = this.#deps;
    this.#isStopped = true;
    this.#cancelTimer();
    await this.#looking;
    await queue.lanes.endTurn(who).catch((error: unknown) => {
      log.debug({ error: String(error) }, "a turn was not given back; it ends by itself");
    });
  }

  async #look(): Promise<void> {
    const { timing, clock, log } = this.#deps;
    let waitMs = timing.turnMs / 3;
    try {
      waitMs = await this.#step();
    } catch (error) {
      log.warn({ error: String(error) }, "events were not taken in; tried again");
    }
    if (this.#isStopped) return;
    this.#cancelTimer = clock.setTimer(waitMs, () => {
      this.#looking = this.#look();
    });
  }

  /** Answers when to look again. */
  async #step(): Promise<number> {
    const { feed, queue, who, timing, metrics, log } = this.#deps;
    const turn = await queue.lanes.turn(who, timing.turnMs);
    if (turn.status === "other") return timing.turnMs / 3;
    await queue.queue(turn.unqueued);
    if (turn.cursor === "") {
      // A new hook is told of what is to come, not of what was.
      await queue.lanes.takeIn(who, "", await feed.end(), []);
      return 0;
    }
    if (turn.pending >= MOST_PENDING) return timing.lookEveryMs;
    const entries = await feed.after(turn.cursor, TAKEN_AT_ONCE);
    const last = entries.at(-1);
    if (last === undefined) return timing.lookEveryMs;
    // Asked only of one who lags: nobody else can have been left behind.
    if (entries.length === TAKEN_AT_ONCE && (await feed.hasLost(turn.cursor))) {
      metrics.eventsMissed();
      log.error({ cursor: turn.cursor }, "events fell off the feed before this hook had taken them in");
    }
    const taken = await queue.lanes.takeIn(who, turn.cursor, last.cursor, entries.map(laneItem));
    if (taken.status === "taken") await queue.queue(taken.unqueued);
    return entries.length < TAKEN_AT_ONCE ? timing.lookEveryMs : 0;
  }
}

function laneItem({ event }: FeedEntry): LaneItem {
  return { lane: event.job, key: `${event.id}.0`, payload: JSON.stringify(event) };
}
