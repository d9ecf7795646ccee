/**
 * Owns the step from a worker's yes to its assignment: the ledger commits first, then, and never otherwise, the token is
 * minted and sent. The token is signed with the key that this worker used, since Python's development mode reads it with
 * its own secret. What was committed and could not be sent is taken back in the ledger, until that is done, and is never
 * sent later.
 */

import type { OfferMessage } from "@muster/domain/node-message";
import type { AcceptArgs, AcceptReply } from "@muster/ledger/generated/scripts";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import { mintAgentToken } from "@muster/wire/agent-token";
import type { AvailabilityResponse } from "@muster/wire/generated/livekit";
import type { AgentMemory } from "./agent-memory.js";
import { identityOf } from "./answer.js";
import type { DispatcherLink } from "./dispatcher-link.js";
import type { GatewayMetrics, OfferOutcome } from "./gateway-metrics.js";
import { jobOf, type UserDataFlags } from "./offer-request.js";
import { untilDone } from "./retry.js";
import type { Session } from "./session.js";

export interface AssignmentsDeps {
  ledger: Ledger;
  link: DispatcherLink;
  generation: () => string | undefined;
  /** API key to its secret. */
  keys: ReadonlyMap<string, string>;
  /** Handed to workers; undefined: none, and they use the url that they dialled. */
  workerLivekitUrl: string | undefined;
  flags: UserDataFlags;
  metrics: GatewayMetrics;
  agents: Pick<AgentMemory, "worked">;
  clock: Clock;
  /** The time in which an accepted job must be seen to run. */
  startMs: number;
  /** An answer that is older when the ledger has committed it is not acted on: Python has given up after 7.5 s. */
  maxAnswerAgeMs: number;
  /** After this time a requeued job is tried if nobody did. */
  guardMs: number;
}

/** Writes a yes to the ledger; repeated, it answers the same. */
export type Commit = (args: AcceptArgs) => Promise<AcceptReply>;

export class Assignments {
  readonly #deps: AssignmentsDeps;
  readonly #underWay = new Map<Promise<unknown>, Session>();
  #isAbandoned = false;

  constructor(deps: AssignmentsDeps) {
    this.#deps = deps;
  }

  /** Call once for each offer. `commit` writes the yes, as accept does unless told otherwise. Never rejects. */
  accept(
    session: Session,
    offer: OfferMessage,
    answer: AvailabilityResponse,
    receivedAtMs: number,
    commit: Commit = (args) => this.#deps.ledger.accept(args),
  ): Promise<OfferOutcome> {
    const accepting = this.#accept(session, offer, answer, receivedAtMs, commit).catch(
      (error: unknown): OfferOutcome => {
        session.log.warn({ job: offer.job, err: error }, "an accepted offer could not be written");
        return "failed";
      },
    );
    this.#underWay.set(accepting, session);
    return accepting.finally(() => this.#underWay.delete(accepting));
  }

  /** Gives up what could not be written; the timers of the ledger do it then. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Resolves once every yes that this session gave so far has its assignment, or will never have it. */
  async settled(session: Session): Promise<void> {
    const own = [...this.#underWay].filter(([, asked]) => asked === session);
    await Promise.all(own.map(([accepting]) => accepting));
  }

  async #accept(
    session: Session,
    offer: OfferMessage,
    answer: AvailabilityResponse,
    receivedAtMs: number,
    commit: Commit,
  ): Promise<OfferOutcome> {
    const { metrics, clock, generation, startMs, maxAnswerAgeMs } = this.#deps;
    const { namespace, job, epoch, wire } = offer;
    const args = {
      namespace,
      job,
      session: session.id,
      epoch,
      agentIdentity: identityOf(answer, job),
      startMs,
    };
    const isTooOld = () => clock.now() - receivedAtMs > maxAnswerAgeMs;
    // A call that failed may have been written: what it says when repeated is what counts.
    const reply = await untilDone(
      clock,
      () => !isTooOld() && !this.#isAbandoned,
      () => commit(args),
      (error) => session.log.warn({ job, err: error }, "an accepted offer is not yet written; trying again"),
    );
    if (reply?.status === "stale") {
      metrics.staleAnswer();
      session.log.info({ job, wire, epoch, state: reply.state }, "answer came too late");
      return "stale";
    }
    const isLate = reply === undefined || isTooOld();
    if (isLate || this.#send(session, offer, answer, reply.agentIdentity, reply.startedAt) === "dropped") {
      metrics.assignmentWithheld(isLate ? "late" : "socket_gone");
      session.log.warn({ job, wire, epoch, isLate }, "accepted, but not assigned");
      await this.#withdraw(session, offer);
      return reply === undefined ? "failed" : "accepted";
    }
    session.held.add({ job, wire, epoch }, generation());
    session.held.remember(wire, { offer, agentIdentity: reply.agentIdentity });
    session.held.assigned(wire, clock.now());
    if (session.registration !== undefined) this.#deps.agents.worked(session.registration);
    metrics.stageTook("assign", clock.now() - receivedAtMs);
    const { first } = offer;
    metrics.assignmentSent(first && { path: first.path, tookMs: reply.startedAt - first.createdAtMs });
    session.log.info({ job, wire, epoch }, "job assigned");
    return "accepted";
  }

  /** Nothing left for the worker, so nothing runs: the job goes to the next one at once. */
  async #withdraw(session: Session, { namespace, job, epoch }: OfferMessage): Promise<void> {
    const { ledger, link, metrics, clock, guardMs } = this.#deps;
    const reply = await untilDone(
      clock,
      () => !this.#isAbandoned,
      () => ledger.withdrawStart({ namespace, job, session: session.id, epoch, guardMs }),
      (error) => session.log.warn({ job, err: error }, "a start is not yet taken back; trying again"),
    );
    if (reply === undefined) return;
    session.log.info({ job, epoch, outcome: reply.status }, "start taken back");
    if (reply.status === "stale") return;
    metrics.startWithdrawn();
    link.tell(namespace, { kind: "admit", job });
    link.serve(namespace, reply.serve);
  }

  #send(
    session: Session,
    offer: OfferMessage,
    answer: AvailabilityResponse,
    identity: string,
    startedAtMs: number,
  ): "sent" | "buffered" | "dropped" {
    const { keys, workerLivekitUrl, flags, clock } = this.#deps;
    const { apiKey } = session.context;
    const { job } = offer;
    const token = mintAgentToken({
      apiKey,
      apiSecret: keys.get(apiKey) ?? "",
      room: offer.room,
      identity,
      name: answer.participantName,
      metadata: answer.participantMetadata,
      attributes: answer.participantAttributes,
      permissions: session.registration?.permissions ?? null,
      agentName: session.registration?.agentName ?? "",
      job,
      epoch: offer.epoch,
      nowMs: clock.now(),
    });
    const assigned = jobOf({ offer, flags, startedAtMs, participantIdentity: identity });
    return session.send({
      case: "assignment",
      value: { job: assigned, url: workerLivekitUrl ?? null, token },
    });
  }
}
