/**
 * Owns the lane queues of this process: any number of them on one Redis connection that is not its own. It opens none and
 * blocks none. Close it before the connection.
 */
import type { Clock } from "../clock.js";
import type { Log } from "../log.js";
import type { RedisClient } from "../redis/connect.js";
import {
  LANE_POLICY,
  LANE_TIMING,
  type LaneHandler,
  type LanePolicy,
  LaneQueue,
  type LaneTiming,
} from "./lane-queue.js";
import { Lanes } from "./lanes.js";
import { onReconnect, shareConnection } from "./shared-connection.js";

export interface LaneHubDeps {
  redis: RedisClient;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  log: Log;
  policy?: LanePolicy;
  timing?: LaneTiming;
}

export interface LaneHub {
  /** Works on the queue of this name until close(); other processes may do the same. */
  open(name: string, handler: LaneHandler, onDead: (reason: string) => void): LaneQueue;
  close(): Promise<void>;
}

export function createLaneHub(deps: LaneHubDeps): LaneHub {
  const { redis, clock, random, log, policy = LANE_POLICY, timing = LANE_TIMING } = deps;
  const connection = shareConnection(redis, log);
  const queues: LaneQueue[] = [];
  const stopListening = onReconnect(redis, () => {
    for (const queue of queues) queue.lookAgain();
  });
  return {
    open(name, handler, onDead) {
      const lanes = new Lanes({ redis, name });
      const queue = new LaneQueue({
        name,
        lanes,
        handler,
        onDead,
        connection,
        policy,
        timing,
        clock,
        random,
        log,
      });
      queues.push(queue);
      return queue;
    },
    async close() {
      stopListening();
      await Promise.all(queues.map((queue) => queue.close()));
      await connection.close();
    },
  };
}
