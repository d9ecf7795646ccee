/**
 * Owns how a worker's word on a job reaches the ledger: in the order in which it came, and tried until it is written,
 * since nobody says it twice. The ledger decides whether it counts; what it refuses is counted and told to nobody.
 */

import { jobOfWireId } from "@muster/domain/ids";
import { MAX_ERROR_BYTES } from "@muster/domain/limits";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import type { DispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import { untilDone } from "./retry.js";
import type { Session } from "./session.js";

export interface ReportsDeps {
  ledger: Ledger;
  link: DispatcherLink;
  metrics: GatewayMetrics;
  clock: Clock;
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
    void session.inOrder(() => this.#write(session, namespace, report));
  }

  /** Gives up what could not be written. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async #write(session: Session, namespace: string, { wire, status, error }: Report): Promise<void> {
    const { ledger, link, metrics, clock } = this.#deps;
    const job = jobOfWireId(wire);
    const args = { namespace, job, wire, session: session.id, status, message: cut(error, MAX_ERROR_BYTES) };
    const reply = await untilDone(
      clock,
      () => !this.#isAbandoned,
      () => ledger.report(args),
      (cause) => session.log.warn({ job, status, err: cause }, "report not yet written; trying again"),
    );
    if (reply === undefined) {
      metrics.reportTaken("failed");
      return;
    }
    metrics.reportTaken(reply.status);
    if (reply.status === "refused") {
      metrics.reportRefused(reply.reason);
      session.log.info({ job, wire, status, reason: reply.reason }, "report refused");
      return;
    }
    session.log.info({ job, wire, status, outcome: reply.status }, "report taken");
    if (reply.status === "running") return;
    session.held.forget(wire);
    link.serve(namespace, reply.serve);
  }
}

/** Between characters. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.byteLength <= maxBytes) return text;
  return new TextDecoder("utf-8").decode(bytes.subarray(0, maxBytes), { stream: true });
}
