/**
 * Puts the way out of events together, from the feed of a project to receivers and listeners:
 *
 *   outbox of a namespace ──(its host)──► feed ──(pump)──► lanes of each hook ──(BullMQ)──► POST
 *                                           └──────────────(live stream)──────────────────► SSE
 *
 * Any number of processes do this side by side. Owns the order in which its parts start and stop; the connection to Redis
 * belongs to the caller.
 */

import { readJobEvent } from "@muster/domain/job-event";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import { EventFeed } from "@muster/runtime/events/event-feed";
import { ListenerBoard } from "@muster/runtime/events/listener-board";
import type { Log } from "@muster/runtime/log";
import { createLaneHub } from "@muster/runtime/queue/lane-hub";
import type { LanePolicy, LaneTiming } from "@muster/runtime/queue/lane-queue";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { encodeJobWebhook, signWebhook } from "@muster/wire/job-webhook";
import { EventDeadLetters } from "./dead-letters.js";
import type { EventMetrics } from "./event-metrics.js";
import { type Hook, hookFor, shownUrl } from "./hook.js";
import { HookPump, PUMP_TIMING, type PumpTiming } from "./hook-pump.js";
import { readJobDetails } from "./job-details.js";
import { LIVE_POLICY, LiveEvents, type LivePolicy } from "./live-events.js";
import { POST_TIMEOUT_MS, postWebhook } from "./post-webhook.js";

export interface EventsDeps {
  redis: RedisClient;
  ledger: Pick<Ledger, "readRecord">;
  /** Whose events; receivers and listeners see no other's. */
  project: string;
  /** Receivers. */
  urls: readonly string[];
  /** What webhooks are signed with. */
  signing: { apiKey: string; apiSecret: string };
  /** A name of this process that no other has. */
  who: string;
  metrics: EventMetrics;
  clock: Clock;
  random: () => number;
  log: Log;
  /** What differs from the defaults. */
  tuning?: EventsTuning;
}

export interface EventsTuning {
  lanes?: LanePolicy;
  laneTiming?: LaneTiming;
  pump?: PumpTiming;
  live?: LivePolicy;
  postTimeoutMs?: number;
}

export interface Events {
  readonly live: LiveEvents;
  readonly deadLetters: EventDeadLetters;
  /** Receivers: with any, whoever makes the first job of a namespace tells its scripts that events are wanted. */
  readonly hooks: readonly Hook[];
  /** Streams end with a word of goodbye, then nothing new is posted, then what is under way ends. */
  stop(): Promise<void>;
}

/** While no api runs that has hooks, events are written on for so long; as long as a hook's cursor is kept. */
const LISTEN_MS = 24 * 3_600_000;
const SAY_AGAIN_MS = 60_000;

export function startEvents(deps: EventsDeps): Events {
  const { redis, ledger, project, urls, signing, who, metrics, clock, random, log, tuning = {} } = deps;
  const {
    postTimeoutMs = POST_TIMEOUT_MS,
    pump: timing = PUMP_TIMING,
    live: livePolicy = LIVE_POLICY,
  } = tuning;
  const feed = new EventFeed({ redis, project });
  const board = new ListenerBoard({ redis, clock });
  const hub = createLaneHub({
    ...{ redis, clock, random, log },
    ...(tuning.lanes !== undefined && { policy: tuning.lanes }),
    ...(tuning.laneTiming !== undefined && { timing: tuning.laneTiming }),
  });

  async function deliver(hook: Hook, payload: string): Promise<void> {
    const event = readJobEvent(payload);
    if (event === undefined) throw new Error("no event is kept here");
    const body = encodeJobWebhook(event, await readJobDetails(ledger, event));
    const token = signWebhook(body, { ...signing, nowMs: clock.now() });
    try {
      await postWebhook({ url: hook.url, body, token, timeoutMs: postTimeoutMs });
      metrics.delivered();
    } catch (error) {
      metrics.deliveryFailed();
      const fields = { url: shownUrl(hook), event: event.id, name: event.event, error: String(error) };
      log.debug(fields, "a webhook was not taken");
      throw error;
    }
  }

  const hooks = [...new Set(urls)].map((url) => {
    const hook = hookFor(project, url);
    const onDead = (reason: string) => {
      metrics.deliveryDied();
      log.warn({ url: shownUrl(hook), error: reason }, "a webhook was given up; it is a dead letter");
    };
    const queue = hub.open(hook.id, (payload) => deliver(hook, payload), onDead);
    const pump = new HookPump({
      feed,
      queue,
      who,
      timing,
      metrics,
      clock,
      log: log.child({ url: shownUrl(hook) }),
    });
    return { hook, lanes: queue.lanes, pump };
  });

  let cancelSaying = () => {};
  const say = (): void => {
    board.keep(project, LISTEN_MS).catch((error: unknown) => {
      log.warn({ error: String(error) }, "the board was not told that hooks listen; told again");
    });
    cancelSaying = clock.setTimer(SAY_AGAIN_MS, say);
  };
  if (hooks.length > 0) say();
  for (const { pump } of hooks) pump.start();
  const live = new LiveEvents({ feed, board, policy: livePolicy, metrics, clock, log });

  return {
    live,
    deadLetters: new EventDeadLetters(hooks),
    hooks: hooks.map(({ hook }) => hook),
    async stop() {
      live.close(); // streams would hold up the end of the http server
      cancelSaying();
      await Promise.all(hooks.map(({ pump }) => pump.stop())); // nothing new comes in; others have the turn
      await hub.close(); // what is being posted ends; what waits is another's
    },
  };
}
