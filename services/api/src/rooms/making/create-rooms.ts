/**
 * Puts together what looks after rooms: the way in for what is said of them, what follows for their orders, and the
 * rounds that make up for what was never said.
 */

import { DEFAULT_PROJECT } from "@muster/domain/namespace";
import type { Ledger } from "@muster/ledger/ledger";
import type { OwnWorkers } from "@muster/livekit/own-workers";
import type { RoomService } from "@muster/livekit/room-service";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import type { AcceptOrder } from "../../accept-order.js";
import type { KnownNamespaces } from "../../known-namespaces.js";
import type { ApiMetrics } from "../../metrics.js";
import type { OrderPolicy } from "../../policy.js";
import type { Definitions } from "../../rules/definitions.js";
import { FollowRules } from "../../rules/follow-rules.js";
import { MakeRoom } from "../../rules/make-room.js";
import { AdoptDispatches } from "../adoption/adopt-dispatches.js";
import { UnnamedAgent } from "../agents/unnamed-agent.js";
import { LiveRooms } from "../book/live-rooms.js";
import { RoomBook } from "../book/room-book.js";
import type { RoomIntake } from "../book/room-intake.js";
import { RoomRounds } from "../book/room-rounds.js";
import type { ReconcileRoom } from "../reconcile-room.js";
import type { MissingRooms } from "./missing-rooms.js";

export interface RoomsDeps {
  redis: RedisClient;
  ledger: Ledger;
  reconciler: ReconcileRoom;
  acceptOrder: AcceptOrder;
  known: KnownNamespaces;
  definitions: Definitions;
  /** Of which rules are followed. */
  projects: readonly string[];
  metrics: ApiMetrics;
  /** undefined: LiveKit cannot be asked. */
  roomService: RoomService | undefined;
  ownWorkers: OwnWorkers;
  /** undefined: rooms are not created. */
  missingRooms: MissingRooms | undefined;
  policy: Pick<OrderPolicy, "roomsEveryMs" | "adoptUnnamed">;
  clock: Clock;
  log: Log;
}

export interface Rooms {
  intake: RoomIntake;
  rounds: RoomRounds;
  makeRoom: MakeRoom;
  /** Dispatches that are looked at again are left to the rounds of another api. */
  stop(): void;
}

/** The rounds begin at once. */
export function createRooms(deps: RoomsDeps): Rooms {
  const { redis, reconciler, policy } = deps;
  const rooms = new LiveRooms(redis);
  const unnamed = new UnnamedAgent({ ...deps, project: DEFAULT_PROJECT });
  const adopt = new AdoptDispatches({ ...deps, unnamed, project: DEFAULT_PROJECT });
  const rules = new FollowRules(deps);
  const intake = new RoomBook({ ...deps, reconcile: reconciler, rooms, adopt, rules });
  const rounds = new RoomRounds({ ...deps, rooms, intake, adopt, rules, everyMs: policy.roomsEveryMs });
  rounds.start();
  return { intake, rounds, makeRoom: new MakeRoom({ ...deps, intake }), stop: () => adopt.stop() };
}
