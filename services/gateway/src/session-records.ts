/**
 * Owns the ledger's record of each session: written at registration and after every loss of it, removed when the socket
 * is gone. A record without a socket would draw offers that nobody can deliver, so removing one is tried until done, and
 * a write that finds its socket gone takes itself back.
 */

import type { DueIndex } from "@muster/actor/due-index";
import { invariant } from "@muster/domain/assert";
import { OFFER_TIMEOUT_MS } from "@muster/domain/timing";
import type { DeregisterSessionReply } from "@muster/ledger/generated/scripts";
import type { Ledger } from "@muster/ledger/ledger";
import type { SessionFacts } from "@muster/ledger/shapes";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { ParticipantPermissionSchema } from "@muster/wire/generated/livekit-schema";
import { AGENT_JSON, toJson } from "@muster/wire/json/to-json";
import type { DispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import { untilDone } from "./retry.js";
import type { Registration, Session } from "./session.js";

export interface SessionRecordsDeps {
  ledger: Ledger;
  dueIndex: DueIndex;
  gateway: string;
  link: DispatcherLink;
  metrics: GatewayMetrics;
  clock: Clock;
  log: Log;
  leaseMs: number;
  /** How long an orphan waits for its worker to come back. */
  graceMs: number;
  /** After this time a requeued job is tried if nobody did. */
  guardMs: number;
  placement: Placement;
  /** How long a worker has to answer an offer, and the longest that a slow one gets. */
  offerTimeoutMs: number;
  offerTimeoutMaxMs: number;
}

type Removed = Extract<DeregisterSessionReply, { status: "deregistered" }>;

export interface Placement {
  /** Load that one more job is taken to cost, 0–1. */
  jobLoad: number;
  /** Projected load from which on no more is offered, 0–1. */
  maxLoad: number;
  /** Jobs held and reserved, at most; 0 = no bound. */
  maxJobs: number;
  /** Of every worker, as encodeLabels writes them; "" = none. */
  labels: string;
}

/** For whoever reads of it in the log. */
type Whose = Pick<Registration, "pool" | "agentName"> & { apiKey: string };

export interface Removal {
  /** Whose session it was; absent: nothing is known of it here. */
  whose?: Whose;
  /** What must have come to its end before. */
  after?: Promise<unknown>;
  /** The worker drained and left: what it had, it has finished. */
  goodbye?: boolean;
  /** The worker closed its socket itself, or the gateway meant to: without jobs it is not one that vanished. */
  clean?: boolean;
}

export class SessionRecords {
  readonly #deps: SessionRecordsDeps;
  /** Removals under way, for whoever drains. */
  readonly #removals = new Set<Promise<void>>();
  #isAbandoned = false;

  constructor(deps: SessionRecordsDeps) {
    this.#deps = deps;
  }

  /** Rejects when Redis cannot be asked; to be repeated then. */
  async write(session: Session): Promise<void> {
    const { ledger, dueIndex, gateway, link, leaseMs } = this.#deps;
    const { registration } = session;
    invariant(registration !== undefined, "a session was written before it said what it is");
    const { namespace, pool } = registration;
    const args = {
      namespace,
      session: session.id,
      gateway,
      pool,
      leaseMs,
      facts: this.#factsOf(session, registration),
    };
    let reply = await ledger.registerSession({ ...args, rests: -1 });
    while (reply.status === "unindexed") {
      // The namespace rests: it must be found before it has something that needs finding.
      await dueIndex.markDue(namespace);
      reply = await ledger.registerSession({ ...args, rests: reply.rests });
    }
    this.#learn(session, reply.answerMs);
    link.serve(namespace, reply.serve);
    if (session.phase === "closed")
      this.remove(namespace, session.id, { whose: whoseOf(session, registration) });
  }

  /** Others of its pool were slow: it gets as long. */
  #learn(session: Session, taughtMs: number): void {
    const { offerTimeoutMs, offerTimeoutMaxMs } = this.#deps;
    const answerMs = Math.min(taughtMs, offerTimeoutMaxMs);
    if (answerMs > (session.answerMs ?? offerTimeoutMs)) session.answerMs = answerMs;
  }

  /** Begins to remove the record and returns; its jobs become orphans, its offers go back. */
  remove(
    namespace: string,
    session: string,
    { after = Promise.resolve(), goodbye = false, clean = false, whose }: Removal = {},
  ): void {
    const removal = after
      .then(() => this.#remove(namespace, session, { goodbye, clean }, whose))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Resolves once all that was to be removed is, whatever is added meanwhile. */
  async settled(): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals);
  }

  /** Gives up what could not be removed; the lease's end does it then. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async #remove(
    namespace: string,
    session: string,
    how: { goodbye: boolean; clean: boolean },
    whose: Whose | undefined,
  ): Promise<void> {
    const { ledger, clock, log, graceMs, guardMs } = this.#deps;
    const reply = await untilDone(
      clock,
      () => !this.#isAbandoned,
      () => ledger.deregisterSession({ namespace, session, ...how, graceMs, guardMs }),
      (error) => log.warn({ namespace, session, err: error }, "session not yet removed; trying again"),
    );
    if (reply?.status === "deregistered") this.#tellOf(namespace, session, reply, whose);
  }

  #tellOf(namespace: string, session: string, reply: Removed, whose: Whose | undefined): void {
    const { link, metrics, log } = this.#deps;
    const { requeued, orphaned, ended, serve } = reply;
    for (const job of requeued) link.tell(namespace, { kind: "admit", job });
    for (const job of orphaned) link.tell(namespace, { kind: "orphan", job });
    link.serve(namespace, ...serve);
    metrics.sessionRemoved({ orphaned: orphaned.length, ended: ended.length });
    const counts = { requeued: requeued.length, orphaned: orphaned.length, ended: ended.length };
    log.info({ namespace, session, ...counts }, "session removed");
    if (reply.guard === 0) return;
    metrics.guardRaised();
    log.warn(
      { namespace, agent: whose?.agentName, pool: whose?.pool, apiKey: whose?.apiKey },
      "many sessions vanished at once; none of their jobs is resumed on a guess for now",
    );
  }

  #factsOf(session: Session, registration: Registration): SessionFacts {
    const { placement, offerTimeoutMs } = this.#deps;
    const { jobLoad, maxLoad, maxJobs, labels } = placement;
    const answerMs = Math.max(session.answerMs ?? 0, offerTimeoutMs);
    const { agentName, type, deployment, version, permissions } = registration;
    return {
      agent: agentName,
      type,
      deployment,
      version,
      permissions:
        permissions === null
          ? ""
          : JSON.stringify(toJson(ParticipantPermissionSchema, permissions, AGENT_JSON)),
      client_ip: session.context.clientIp,
      ...(session.context.reports && { reports: 1 }),
      api_key: session.context.apiKey,
      cost: jobLoad,
      max_load: maxLoad,
      cap: maxJobs,
      ...(labels !== "" && { labels }),
      ...(answerMs !== OFFER_TIMEOUT_MS && { answer_ms: answerMs }),
    };
  }
}

export function whoseOf({ context }: Session, { pool, agentName }: Registration): Whose {
  return { pool, agentName, apiKey: context.apiKey };
}
