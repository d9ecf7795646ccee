/**
 * Owns how a worker's word on a job reaches the ledger: in the order in which it came, and tried until it is written,
 * since nobody says it twice. The ledger decides whether it counts; what it refuses is counted and told to nobody,
 * but for a worker that says it runs what is over, or runs elsewhere under a later wire id: it is to stop that.
 */

import { jobOfWireId } from "@muster/domain/ids";
import { MAX_ERROR_BYTES } from "@muster/domain/limits";
import type { ReportArgs, ReportReply } from "@muster/ledger/generated/scripts";
import type { Ledger } from "@muster/ledger/ledger";
import { jobRecord } from "@muster/ledger/records";
import { tellBlame } from "@muster/ledger/tell-blame";
import type { Clock } from "@muster/runtime/clock";
import type { DispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { NamespaceLeases } from "./lease.js";
import type { Migrations } from "./migrations.js";
import { untilDone } from "./retry.js";
import type { Session } from "./session.js";

/** A character of a text in memory, at most. */
const TEXT_BYTES = 2;

export interface ReportsDeps {
  ledger: Ledger;
  leases: NamespaceLeases;
  migrations: Migrations;
  link: DispatcherLink;
  metrics: GatewayMetrics;
  clock: Clock;
  /** The time in which an accepted job must be seen to run. */
  startMs: number;
  /** How long a sick worker is offered nothing at first. */
  coolMs: number;
  /** A job that fails before it ran for so long failed at once. */
  earlyMs: number;
}

export interface Report {
  wire: string;
  status: "running" | "success" | "failed";
  /** The worker's error text; cut at MAX_ERROR_BYTES. */
  error: string;
}

export class Reports {
  readonly #deps: ReportsDeps;
  #isAbandoned = false;

  constructor(deps: ReportsDeps) {
    this.#deps = deps;
  }

  take(session: Session, namespace: string, report: Report): void {
    const receivedAtMs = this.#deps.clock.now();
    // Cut before it waits: an error may be as large as a frame.
    const bounded = { ...report, error: cut(report.error, MAX_ERROR_BYTES) };
    const bytes = TEXT_BYTES * (bounded.error.length + report.wire.length);
    session.inOrder(() => this.#write(session, namespace, bounded, receivedAtMs), bytes);
  }

  /** Gives up what could not be written. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async #write(session: Session, namespace: string, report: Report, receivedAtMs: number): Promise<void> {
    const { wire, status, error: message } = report;
    const { link, metrics, clock, startMs, coolMs, earlyMs } = this.#deps;
    const job = jobOfWireId(wire);
    const args = { namespace, job, wire, session: session.id, status, message, startMs, coolMs, earlyMs };
    const reply = await untilDone(
      clock,
      () => !this.#isAbandoned,
      () => this.#say(session, args),
      (cause) => session.log.warn({ job, status, err: cause }, "report not yet written; trying again"),
    );
    if (reply === undefined) {
      metrics.reportTaken("failed", false);
      return;
    }
    metrics.reportTaken(reply.status, status === "failed");
    const assignedAtMs = session.held.takeAssignedAt(wire);
    if (assignedAtMs !== undefined) metrics.stageTook("first_status", receivedAtMs - assignedAtMs);
    // Whatever the ledger makes of it: the worker runs it no more.
    if (status !== "running") session.held.forget(wire);
    if (reply.status === "refused") {
      metrics.reportRefused(reply.reason);
      session.log.info({ job, wire, status, reason: reply.reason }, "report refused");
      if (status === "running") await this.#stopGhost(session, namespace, wire);
      return;
    }
    session.log.info({ job, wire, status, outcome: reply.status }, "report taken");
    if (reply.status === "running") return;
    if (reply.status === "ended" || reply.status === "retrying")
      tellBlame({ log: session.log, metrics }, namespace, reply.blame);
    if (reply.status === "retrying" || reply.status === "checking")
      link.tell(namespace, { kind: "due", atMs: reply.due });
    link.serve(namespace, reply.serve);
  }

  async #say(session: Session, args: ReportArgs): Promise<ReportReply> {
    const { ledger, leases } = this.#deps;
    // After a gap of ours the session may have been swept: it is asserted before its word is passed on.
    await leases.confirm(args.namespace);
    const reply = await ledger.report(args);
    const isSwept = reply.status === "refused" && reply.reason === "unknown_session" && session.isServed;
    if (!isSwept || (await leases.assert(args.namespace)) !== "registered_again") return reply;
    return await ledger.report(args);
  }

  /**
   * A job of the worker's own pool that is over, or was offered anew since: named as in a migration, it is stopped for
   * certain, and meanwhile keeps its place. Of any other job the worker learns nothing.
   */
  async #stopGhost(session: Session, namespace: string, wire: string): Promise<void> {
    const { ledger, migrations, metrics } = this.#deps;
    const found = await ledger.readRecord({ namespace, kind: "job", id: jobOfWireId(wire) });
    if (found.status !== "found") return;
    const { pool, state, wire: newest } = jobRecord(found.record);
    if (pool !== session.registration?.pool || (state !== "ended" && newest === wire)) return;
    metrics.ghostFound();
    migrations.claim(session, namespace, [wire]);
  }
}

/** Between characters. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.byteLength <= maxBytes) return text;
  return new TextDecoder("utf-8").decode(bytes.subarray(0, maxBytes), { stream: true });
}
