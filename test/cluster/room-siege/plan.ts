/** Owns what a siege of rooms is: how long, how large, the seed of all chance, and which promises are held against Muster. */
import type { SiegePlan } from "../siege/plan.js";

/** Each can be switched off, to find one fault behind another. */
export interface RoomPromises {
  /** No agent is sent to a life of a room that is over, or to a caller who has gone. */
  readonly noGhosts: boolean;
  /** No agent stays alone past the room's time-out. */
  readonly noneAlone: boolean;
  /** No caller is without an agent while a worker has room. */
  readonly everyoneServed: boolean;
  /** Nor is one whose agent never joined, whatever its worker said. */
  readonly neverJoinedIsFailure: boolean;
  /** No room has two agents of one order. */
  readonly noPairs: boolean;
}

export interface RoomSiegePlan extends SiegePlan {
  readonly callersPerSecond: number;
  readonly promises: RoomPromises;
}

/** Few places on many workers: callers wait in line, and one worker that dies is no outage. */
export const PLACES = 2;
export const AGENT = "guide";
export const ZONE = "lobby";
/** Of rooms that say nothing of their own. */
export const TIMEOUTS = { emptyS: 3, departureS: 1 };

/** What Muster keeps today. */
const KEPT: RoomPromises = {
  noGhosts: false,
  noneAlone: false,
  everyoneServed: true,
  neverJoinedIsFailure: true,
  noPairs: true,
};

export function shortRoomSiege(seed: number, promises: Partial<RoomPromises> = {}): RoomSiegePlan {
  return {
    ...{ seed, faultsMs: 25_000, zones: [ZONE], gateways: 2, dispatchers: 2, apis: 2, store: "single" },
    // At times there are fewer places than callers, who then wait in line.
    ...{ workersPerZone: 8, ordersPerSecond: 0, callersPerSecond: 4 },
    ...{ pauseMs: [100, 800], retentionMs: 20_000 },
    promises: { ...KEPT, ...promises },
  };
}

export function longRoomSiege(seed: number, minutes: number): RoomSiegePlan {
  return {
    ...shortRoomSiege(seed),
    ...{ faultsMs: minutes * 60_000, gateways: 3, workersPerZone: 20, callersPerSecond: 10 },
    ...{ pauseMs: [500, 2_500], retentionMs: 60_000 },
  };
}
