/** What the handlers of worker messages work with: one room of the gateway each. */

import type { IdKind } from "@muster/domain/ids";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import type { ServerInfo } from "@muster/wire/generated/livekit";
import type { AgentMemory } from "./agent-memory.js";
import type { DispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { NamespaceLeases } from "./lease.js";
import type { Migrations } from "./migrations.js";
import type { Offers } from "./offers.js";
import type { Reports } from "./reports.js";
import type { Samples } from "./samples.js";
import type { SessionRecords } from "./session-records.js";
import type { Sessions } from "./sessions.js";

export interface MessageDeps {
  ledger: Ledger;
  sessions: Sessions;
  records: SessionRecords;
  leases: NamespaceLeases;
  agents: AgentMemory;
  offers: Offers;
  reports: Reports;
  migrations: Migrations;
  samples: Samples;
  link: DispatcherLink;
  metrics: GatewayMetrics;
  clock: Clock;
  serverInfo: ServerInfo;
  newId: (kind: IdKind) => string;
  simulation: SimulationTimes;
}

export interface SimulationTimes {
  /** How long a simulated job is kept after it ended. */
  retainMs: number;
  /** After this time it is tried if nobody did. */
  guardMs: number;
  /** How long it may wait for its worker. */
  waitMs: number;
}
