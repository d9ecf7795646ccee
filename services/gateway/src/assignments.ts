/**
 * Owns the step from a worker's yes to its assignment: the ledger commits first, then, and never otherwise, the token is
 * minted and sent. The token is signed with the key that this worker used, since Python's development mode reads it with
 * its own secret. What was committed and not sent is never sent later: the job's start deadline in the ledger finds it.
 */

import type { OfferMessage } from "@muster/domain/node-message";
import type { Ledger } from "@muster/ledger/ledger";
import type { Clock } from "@muster/runtime/clock";
import { mintAgentToken } from "@muster/wire/agent-token";
import type { AvailabilityResponse } from "@muster/wire/generated/livekit";
import { identityOf } from "./answer.js";
import type { GatewayMetrics, OfferOutcome } from "./gateway-metrics.js";
import { jobOf, type UserDataFlags } from "./offer-request.js";
import type { Session } from "./session.js";

export interface AssignmentsDeps {
  ledger: Ledger;
  /** API key to its secret. */
  keys: ReadonlyMap<string, string>;
  /** Handed to workers; undefined: none, and they use the url that they dialled. */
  workerLivekitUrl: string | undefined;
  flags: UserDataFlags;
  metrics: GatewayMetrics;
  clock: Clock;
  /** The time in which an accepted job must be seen to run. */
  startMs: number;
  /** An answer that is older when the ledger has committed it is not acted on: Python has given up after 7.5 s. */
  maxAnswerAgeMs: number;
}

export class Assignments {
  readonly #deps: AssignmentsDeps;
  readonly #underWay = new Map<Promise<unknown>, Session>();

  constructor(deps: AssignmentsDeps) {
    this.#deps = deps;
  }

  /** Call once for each offer. Never rejects. */
  accept(
    session: Session,
    offer: OfferMessage,
    answer: AvailabilityResponse,
    receivedAtMs: number,
  ): Promise<OfferOutcome> {
    const accepting = this.#accept(session, offer, answer, receivedAtMs).catch(
      (error: unknown): OfferOutcome => {
        session.log.warn({ job: offer.job, err: error }, "an accepted offer could not be written");
        return "failed";
      },
    );
    this.#underWay.set(accepting, session);
    return accepting.finally(() => this.#underWay.delete(accepting));
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
  ): Promise<OfferOutcome> {
    const { ledger, metrics, clock, startMs, maxAnswerAgeMs } = this.#deps;
    const { namespace, job, epoch, wire } = offer;
    const agentIdentity = identityOf(answer, job);
    const reply = await ledger.accept({ namespace, job, session: session.id, epoch, agentIdentity, startMs });
    if (reply.status === "stale") {
      session.log.info({ job, wire, epoch, state: reply.state }, "answer came too late");
      return "stale";
    }
    const isLate = clock.now() - receivedAtMs > maxAnswerAgeMs;
    if (isLate || this.#send(session, offer, answer, reply.agentIdentity, reply.startedAt) === "dropped") {
      metrics.assignmentWithheld(isLate ? "late" : "socket_gone");
      session.log.warn({ job, wire, epoch, isLate }, "accepted, but not assigned");
      return "accepted";
    }
    session.held.add({ job, wire, epoch });
    metrics.assignmentSent();
    session.log.info({ job, wire, epoch }, "job assigned");
    return "accepted";
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
      epoch: offer.epoch,
      nowMs: clock.now(),
    });
    const job = jobOf({ offer, flags, startedAtMs, participantIdentity: identity });
    return session.send({ case: "assignment", value: { job, url: workerLivekitUrl ?? null, token } });
  }
}
