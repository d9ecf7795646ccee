/**
 * Owns how a worker that came back takes the jobs along that it still runs: asked of the ledger in one call for many,
 * behind the reports that it sent first. What moved is held by its new session from now on; what is over or runs
 * elsewhere is to be stopped; of what is not its own it is told nothing. Whoever must know of the rest gets a hint.
 */

import { jobOfWireId } from "@muster/domain/ids";
import type { MigrateJobsReply } from "@muster/ledger/generated/scripts";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import { chunksOf } from "./chunks.js";
import type { DispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics } from "./gateway-metrics.js";
import type { HalfOpen } from "./half-open.js";
import type { NamespaceLeases } from "./lease.js";
import { recall } from "./recall.js";
import { untilDone } from "./retry.js";
import type { Session } from "./session.js";
import type { Stops } from "./stops.js";

/** What a wire id costs in memory beside its characters. */
const WIRE_BYTES = 48;

export interface MigrationsDeps {
  ledger: Ledger;
  leases: NamespaceLeases;
  link: DispatcherLink;
  stops: Stops;
  halfOpen: HalfOpen;
  generation: () => string | undefined;
  metrics: GatewayMetrics;
  clock: Clock;
  graceMs: number;
  guardMs: number;
  /** How long the place of a job that is to be stopped stays taken when nobody confirms. */
  stopMs: number;
}

type Moved = Extract<MigrateJobsReply, { status: "migrated" }>;

export class Migrations {
  readonly #deps: MigrationsDeps;
  #isAbandoned = false;

  constructor(deps: MigrationsDeps) {
    this.#deps = deps;
  }

  take(session: Session, namespace: string, wires: readonly string[]): void {
    this.#deps.metrics.migrationAsked(wires.length);
    this.claim(session, namespace, wires);
  }

  /** The worker runs these, as it said in another way. */
  claim(session: Session, namespace: string, wires: readonly string[]): void {
    const bytes = wires.reduce((sum, wire) => sum + WIRE_BYTES + wire.length, 0);
    session.inOrder(async () => {
      for (const chunk of chunksOf([...new Set(wires)])) await this.#move(session, namespace, chunk);
    }, bytes);
  }

  /** Gives up what could not be written; the worker asks again when it comes back again. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async #move(session: Session, namespace: string, wires: readonly string[]): Promise<void> {
    const reply = await untilDone(
      this.#deps.clock,
      () => session.isServed && !this.#isAbandoned,
      () => this.#ask(session, namespace, wires),
      (error) => session.log.warn({ jobs: wires.length, err: error }, "jobs not yet migrated; trying again"),
    );
    if (reply === undefined) return;
    if (reply.status === "unknown_session") {
      session.close("replaced", "the session is not known any more; register again");
      return;
    }
    this.#apply(session, namespace, reply);
  }

  async #ask(session: Session, namespace: string, wires: readonly string[]): Promise<MigrateJobsReply> {
    const { ledger, leases, graceMs, guardMs, stopMs } = this.#deps;
    // After a gap of ours the session may have been swept: it is asserted before anything is moved to it.
    await leases.confirm(namespace);
    const claims = wires.map((wire) => ({ job: jobOfWireId(wire), wire }));
    const args = { namespace, session: session.id, claims, graceMs, guardMs, stopMs };
    const ask = () => ledger.migrateJobs(args);
    const reply = await ask();
    if (reply.status !== "unknown_session") return reply;
    return (await leases.assert(namespace)) === "registered_again" ? await ask() : reply;
  }

  #apply(session: Session, namespace: string, reply: Moved): void {
    const { ledger, link, stops, halfOpen, metrics, generation } = this.#deps;
    const { moved, refused, closed, orphaned, requeued } = reply;
    // The former sockets first: what they still hold of these jobs must not be asserted beside the new one.
    halfOpen.closeAll(namespace, closed);
    for (const job of moved) session.held.add(job, generation());
    recall(ledger, session, namespace, moved);
    for (const wire of reply.stops) stops.deliver(session.id, wire);
    for (const job of orphaned) link.tell(namespace, { kind: "orphan", job });
    for (const job of requeued) link.tell(namespace, { kind: "admit", job });
    link.serve(namespace, ...reply.serve);
    metrics.migrated({ moved: moved.length, stopped: reply.stops.length, refused: refused.length });
    session.log.info(
      { moved: moved.length, stopped: reply.stops.length, refused: refused.length, closed: closed.length },
      "worker brought its jobs along",
    );
  }
}
