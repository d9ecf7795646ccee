/** Owns what a siege of rooms is: how long, how large, and the seed of all chance. */
import type { SiegePlan } from "../siege/plan.js";

export interface RoomSiegePlan extends SiegePlan {
  readonly callersPerSecond: number;
}

/** Few places on many workers: callers wait in line, and one worker that dies is no outage. */
export const PLACES = 2;
export const AGENT = "guide";
export const ZONE = "lobby";
/** Of rooms that say nothing of their own. */
export const TIMEOUTS = { emptyS: 3, departureS: 1 };

export function shortRoomSiege(seed: number): RoomSiegePlan {
  return {
    ...{ seed, faultsMs: 28_000, zones: [ZONE], gateways: 2, dispatchers: 2, apis: 2, store: "single" },
    // At times there are fewer places than callers, who then wait in line.
    ...{ workersPerZone: 8, ordersPerSecond: 0, callersPerSecond: 4 },
    ...{ pauseMs: [100, 800], retentionMs: 20_000 },
  };
}

export function longRoomSiege(seed: number, minutes: number): RoomSiegePlan {
  return {
    ...shortRoomSiege(seed),
    ...{ faultsMs: minutes * 60_000, gateways: 3, workersPerZone: 12, callersPerSecond: 4 },
    ...{ pauseMs: [500, 2_500], retentionMs: 60_000 },
  };
}
