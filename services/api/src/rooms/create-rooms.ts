/**
 * Puts together what looks after rooms: the way in for what is said of them, what follows for their orders, and the
 * rounds that make up for what was never said.
 */

import type { DueIndex } from "@muster/actor/due-index";
import type { Ledger } from "@muster/ledger/ledger";
import { type LivekitSettings, roomServiceOf } from "@muster/livekit/settings";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { type ApiKeys, projectsOf } from "../auth.js";
import type { Enqueue } from "../enqueue.js";
import type { Hints } from "../hints.js";
import type { OrderPolicy } from "../policy.js";
import { LiveRooms } from "./live-rooms.js";
import { ReconcileRoom, type RoomReconciler } from "./reconcile-room.js";
import { RoomBook } from "./room-book.js";
import type { RoomIntake } from "./room-intake.js";
import { RoomRounds } from "./room-rounds.js";

export interface RoomsDeps {
  redis: RedisClient;
  ledger: Ledger;
  dueIndex: DueIndex;
  enqueue: Enqueue;
  hints: Hints;
  keys: ApiKeys;
  livekit?: LivekitSettings;
  policy: OrderPolicy;
  clock: Clock;
  log: Log;
}

export interface Rooms {
  intake: RoomIntake;
  reconciler: RoomReconciler;
  rounds: RoomRounds;
}

/** The rounds begin at once. */
export function createRooms(deps: RoomsDeps): Rooms {
  const { redis, ledger, livekit, keys, policy, clock, log } = deps;
  const reconciler = new ReconcileRoom({ ...deps, projects: projectsOf(keys) });
  const rooms = new LiveRooms(redis);
  const intake = new RoomBook({ ledger, reconcile: reconciler, rooms, clock });
  const roomService = livekit === undefined ? undefined : roomServiceOf(livekit, clock);
  const everyMs = policy.roomsEveryMs;
  const rounds = new RoomRounds({
    ...{ ledger, roomService, rooms, intake, reconciler, clock, log, everyMs },
  });
  rounds.start();
  return { intake, reconciler, rounds };
}
