/** What offers, and the late answers to them, work with. */

import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Assignments } from "./assignments.js";
import type { DispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { NamespaceLeases } from "./lease.js";
import type { UserDataFlags } from "./offer-request.js";
import type { SessionRecords } from "./session-records.js";
import type { Sessions } from "./sessions.js";

export interface OffersDeps {
  ledger: Ledger;
  sessions: Sessions;
  records: SessionRecords;
  leases: NamespaceLeases;
  assignments: Assignments;
  link: DispatcherLink;
  metrics: GatewayMetrics;
  clock: Clock;
  log: Log;
  flags: UserDataFlags;
  /** How long a worker may take to answer, until it is known to need longer. */
  offerTimeoutMs: number;
  /** The longest that any gets; an answer that comes later counts for nothing. */
  offerTimeoutMaxMs: number;
  /** An answer that is older is not acted on: its worker may have given up. */
  maxAnswerAgeMs: number;
  /** How long a sick worker is offered nothing at first. */
  coolMs: number;
  guardMs: number;
}
