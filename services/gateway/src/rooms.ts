/**
 * Owns how the rooms of a gateway are joined: who is given whom. Starts and stops nothing.
 */

import type { ActorLink } from "@muster/actor/actor-link";
import type { DueIndex } from "@muster/actor/due-index";
import type { Outbox } from "@muster/actor/outbox";
import type { IdKind } from "@muster/domain/ids";
import type { NamespaceMessage } from "@muster/domain/node-message";
import { createLedger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";
import { buildServerInfo } from "@muster/wire/server-info";
import { AgentMemory } from "./agent-memory.js";
import { Assignments } from "./assignments.js";
import { createDispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import { createHalfOpen, type HalfOpen } from "./half-open.js";
import { FactMemory } from "./job-facts.js";
import { NamespaceLeases } from "./lease.js";
import type { MessageDeps } from "./message-deps.js";
import { Migrations } from "./migrations.js";
import { Offers } from "./offers.js";
import type { GatewayPolicy } from "./policy.js";
import { Reassertion } from "./reassertion.js";
import { Reports } from "./reports.js";
import { Samples } from "./samples.js";
import { SessionRecords } from "./session-records.js";
import { Sessions } from "./sessions.js";
import { createStops, type Stops } from "./stops.js";
import { TokenEnds } from "./token-ends.js";
import { WorkMemory } from "./work-memory.js";

export interface RoomsDeps {
  nodeId: string;
  version: string;
  keys: ReadonlyMap<string, string>;
  policy: GatewayPolicy;
  redis: RedisClient;
  actors: ActorLink<NamespaceMessage>;
  dueIndex: DueIndex;
  outbox: Outbox;
  /** The life of Redis that this node knows of. */
  generation: () => string | undefined;
  renewEveryMs: number;
  clock: Clock;
  newId: (kind: IdKind) => string;
  metrics: GatewayMetrics;
  log: Log;
}

export interface Rooms extends MessageDeps {
  assignments: Assignments;
  stops: Stops;
  halfOpen: HalfOpen;
  reassertion: Reassertion;
  memory: FactMemory;
  work: WorkMemory;
  tokenEnds: TokenEnds;
}

export function createRooms(deps: RoomsDeps): Rooms {
  const {
    nodeId: gateway,
    version,
    keys,
    policy,
    redis,
    actors,
    dueIndex,
    outbox,
    generation,
    renewEveryMs,
    clock,
    metrics,
    log,
  } = deps;
  const shared = { ledger: createLedger(redis), gateway, generation, metrics, clock, log, ...policy };
  const sessions = new Sessions();
  const stops = createStops({ sessions, metrics });
  const link = createDispatcherLink({ actors, metrics, log });
  const halfOpen = createHalfOpen({ ...shared, sessions, outbox });
  const reassertion = new Reassertion({ ...shared, sessions, stops });
  const records = new SessionRecords({ ...shared, dueIndex, link });
  const leases = new NamespaceLeases({
    ...shared,
    sessions,
    reassertion,
    renewEveryMs,
    async writeSession(session) {
      await records.write(session);
      // A new record is available and idle: what the worker said last is said again.
      const { sample, registration } = session;
      if (sample !== undefined && registration !== undefined)
        samples.add(registration.namespace, sample, true);
    },
    stop: (session, wire) => stops.deliver(session, wire),
  });
  const samples = new Samples({ ...shared, sessions, leases, link, flushMs: policy.sampleFlushMs });
  const agents = new AgentMemory({ ...shared, sessions });
  const assignments = new Assignments({ ...shared, link, keys, agents });
  const migrations = new Migrations({ ...shared, leases, link, stops, halfOpen });
  return {
    ledger: shared.ledger,
    sessions,
    stops,
    halfOpen,
    reassertion,
    memory: new FactMemory({ maxBytes: policy.jobMemoryBytes }),
    work: new WorkMemory({ mostBytes: policy.workBytes, mostBytesOfSession: policy.workBytesPerWorker }),
    link,
    records,
    leases,
    assignments,
    metrics,
    clock,
    newId: deps.newId,
    agents,
    tokenEnds: new TokenEnds({ ...shared, sessions, samples }),
    offers: new Offers({ ...shared, sessions, records, leases, assignments, link }),
    migrations,
    reports: new Reports({ ...shared, leases, migrations, link }),
    samples,
    serverInfo: buildServerInfo({ version, region: policy.region, nodeId: gateway }),
    simulation: { retainMs: policy.retainMs, guardMs: policy.guardMs, waitMs: policy.waitMs },
  };
}
