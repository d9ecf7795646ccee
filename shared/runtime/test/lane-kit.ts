/**
 * Owns what the tests of lane queues share: hubs closed with the test, items, and a filler that takes items into lanes as
 * a pump does.
 */
import { randomUUID } from "node:crypto";
import { systemClock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { createLaneHub, type LaneHub } from "@muster/runtime/queue/lane-hub";
import type { LanePolicy, LaneQueue, LaneTiming } from "@muster/runtime/queue/lane-queue";
import type { LaneItem } from "@muster/runtime/queue/lanes";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { onTestFinished } from "vitest";
import { keptLog } from "./queue-kit.js";

export const POLICY: LanePolicy = {
  concurrency: 8,
  mostTries: 3,
  firstRetryMs: 40,
  longestRetryMs: 80,
  mostDead: 5,
};
/** What a dead process held comes back soon enough for a test to see it. */
export const TIMING: LaneTiming = { lockMs: 400, sweepMs: 150, pollMs: 100 };

export const freshName = (): string => randomUUID().slice(0, 8);

export function testLaneHub(
  redis: RedisClient,
  {
    policy = POLICY,
    timing = TIMING,
    log = keptLog().log,
  }: { policy?: LanePolicy; timing?: LaneTiming; log?: Log } = {},
): LaneHub {
  const hub = createLaneHub({ redis, clock: systemClock, random: () => 1, log, policy, timing });
  onTestFinished(() => hub.close());
  return hub;
}

/** `L1:3` is the item 3 of lane L1; its payload says so. */
export function item(text: string): LaneItem {
  const [lane = "", name = ""] = text.split(":");
  return { lane, key: `${lane}-${name}.0`, payload: text };
}

/** Fills lanes as somebody with the turn does; the cursor counts. */
export function filler(queue: LaneQueue, who = "filler") {
  return async (...texts: string[]): Promise<void> => {
    const turn = await queue.lanes.turn(who, 5_000);
    if (turn.status !== "held") throw new Error("another has the turn");
    const to = String(Number(turn.cursor) + texts.length);
    const taken = await queue.lanes.takeIn(who, turn.cursor, to, texts.map(item));
    if (taken.status !== "taken") throw new Error("not taken in");
    await queue.queue(taken.unqueued);
  };
}
