/**
 * Owns open offers: from the message of a dispatcher to the one call that tells the ledger what came of it. Each offer
 * is ended by exactly one of answer, deadline and the end of its socket, whichever takes it out of the session first, so
 * that accept is never sent twice. A worker is called silent only when the offer has left for its socket.
 */

import { within } from "@muster/actor/timing";
import type { OfferMessage } from "@muster/domain/node-message";
import { tellBlame } from "@muster/ledger/tell-blame";
import type { AvailabilityResponse } from "@muster/wire/generated/livekit";
import { answerProblem } from "./answer.js";
import { shortened } from "./answer-time.js";
import { bytesOfOffer } from "./job-facts.js";
import { LateAnswers } from "./late-answers.js";
import { availabilityRequest } from "./offer-request.js";
import type { OffersDeps } from "./offers-deps.js";
import type { OpenOffer } from "./open-offer.js";
import type { Session } from "./session.js";

/** How long an offer waits for a lease to be held again; it has a deadline of its own in the ledger. */
const HOLD_LIMIT_MS = 1_000;

export type RejectReason = "rejected" | "slow" | "silent" | "undelivered";

/** Offers remembered per session, so that a message that comes twice is one offer; far more than come at a time. */
const REMEMBERED_OFFERS = 512;

export class Offers {
  readonly #deps: OffersDeps;
  readonly #asked = new WeakMap<Session, Set<string>>();
  readonly #late: LateAnswers;

  constructor(deps: OffersDeps) {
    this.#deps = deps;
    this.#late = new LateAnswers({
      ...deps,
      answered: (session, open, answer, atMs) => void this.#settle(session, open, answer, atMs),
    });
  }

  /** A dispatcher's message. */
  receive(offer: OfferMessage): void {
    const { sessions, records, metrics } = this.#deps;
    const session = sessions.find(offer.session);
    if (session === undefined) {
      metrics.messageUnroutable("offer");
      void this.#reject(offer, "undelivered", false);
      // The ledger thinks that it is here: without this it would be offered the next job as well.
      records.remove(offer.namespace, offer.session);
      return;
    }
    // The ledger may know the session a moment before its worker does.
    if (session.phase === "registering")
      session.inOrder(async () => this.#ask(session, offer), bytesOfOffer(offer));
    else if (this.#deps.leases.isHeld(offer.namespace)) this.#ask(session, offer);
    else void this.#askOnceHeld(session, offer);
  }

  /** A worker's answer. One to an offer that is not open is counted and changes nothing. */
  answer(session: Session, answer: AvailabilityResponse): void {
    const open = session.offers.get(answer.jobId);
    if (open === undefined) {
      if (this.#late.answer(session, answer)) return;
      this.#deps.metrics.answerIgnored();
      session.log.debug({ wire: answer.jobId.slice(0, 64) }, "answer to no open offer");
      return;
    }
    this.#take(session, open);
    const nowMs = this.#deps.clock.now();
    // Found only after its deadline, in a process that was stopped for a while: it may be as old as the offer.
    const isUndated = nowMs - open.askedAtMs > this.#givenMs(session);
    if (!isUndated && session.answerMs !== undefined)
      this.#learn(session, open.message, nowMs - open.askedAtMs);
    void this.#settle(session, open, answer, isUndated ? open.askedAtMs : nowMs);
  }

  /** Only of who was slow once. */
  #learn(session: Session, { namespace }: OfferMessage, tookMs: number): void {
    const { ledger, log, offerTimeoutMs } = this.#deps;
    const answerMs = shortened(session.answerMs ?? 0, tookMs, offerTimeoutMs);
    if (answerMs === undefined) return;
    session.answerMs = answerMs;
    // Lost, the ledger gives the offer longer than need be.
    ledger
      .learnAnswer({ namespace, session: session.id, answerMs })
      .catch((error: unknown) =>
        log.warn({ namespace, session: session.id, err: error }, "answer time not written"),
      );
  }

  /** The socket is gone or about to go: nobody can answer here any more. */
  withdrawAll(session: Session): void {
    for (const open of [...session.offers.values()]) {
      this.#take(session, open);
      void this.#reject(open.message, "undelivered", false);
    }
    this.#late.forgetAll(session);
  }

  /** What is not written when the gateway has stopped is left to the ledger's timers. */
  abandon(): void {
    this.#late.abandon();
  }

  #givenMs(session: Session): number {
    return Math.max(session.answerMs ?? 0, this.#deps.offerTimeoutMs);
  }

  /** After a gap of ours the session may have been swept: it is asserted before it is asked anything. */
  async #askOnceHeld(session: Session, offer: OfferMessage): Promise<void> {
    const { leases, clock, metrics, log } = this.#deps;
    metrics.offerHeld();
    try {
      if (!(await within(clock, HOLD_LIMIT_MS, leases.confirm(offer.namespace))).late) {
        this.#ask(session, offer);
        return;
      }
    } catch (error) {
      log.warn({ namespace: offer.namespace, job: offer.job, err: error }, "no lease to make an offer under");
    }
    await this.#reject(offer, "undelivered", false);
  }

  #ask(session: Session, offer: OfferMessage): void {
    const { clock, metrics, flags } = this.#deps;
    if (
      session.phase !== "registered" ||
      session.isExpired ||
      session.registration?.namespace !== offer.namespace
    ) {
      void this.#reject(offer, "undelivered", false);
      return;
    }
    if (this.#isRepeat(session, offer) || !this.#supersedes(session, offer)) return;
    let outcome: "sent" | "buffered" | "dropped";
    try {
      const request = availabilityRequest({ offer, flags, startedAtMs: clock.now() });
      outcome = session.send({ case: "availability", value: request });
    } catch (error) {
      session.log.error({ job: offer.job, err: error }, "an offer could not be written");
      outcome = "dropped";
    }
    metrics.offerMade();
    session.log.debug({ job: offer.job, wire: offer.wire, epoch: offer.epoch, outcome }, "offer");
    if (outcome === "dropped") {
      void this.#reject(offer, "undelivered", false);
      return;
    }
    const open: OpenOffer = {
      message: offer,
      askedAtMs: clock.now(),
      cancelDeadline: clock.setTimer(this.#givenMs(session), () => this.#deadline(session, offer.wire)),
    };
    session.offers.set(offer.wire, open);
  }

  /**
   * A dispatcher's message can come twice, the second time when the first has long been answered and assigned: asked
   * again, the worker would be assigned the same job again. No two offers have one wire id.
   */
  #isRepeat(session: Session, { wire }: OfferMessage): boolean {
    const asked = this.#asked.get(session) ?? new Set<string>();
    this.#asked.set(session, asked);
    if (asked.has(wire)) return true;
    asked.add(wire);
    const [oldest] = asked;
    if (asked.size > REMEMBERED_OFFERS && oldest !== undefined) asked.delete(oldest);
    return false;
  }

  /** One open offer per session and job: a repeat or an older one is ignored, a newer one takes the place. */
  #supersedes(session: Session, offer: OfferMessage): boolean {
    for (const open of session.offers.values()) {
      if (open.message.job !== offer.job) continue;
      if (open.message.epoch >= offer.epoch) return false;
      // The ledger has given it another epoch since: nothing that could be said of the old one counts.
      this.#take(session, open);
      this.#deps.metrics.offerEnded("stale");
      return true;
    }
    return true;
  }

  #deadline(session: Session, wire: string): void {
    // One more turn of the loop: after a pause of ours the answer may wait in the socket behind this timer.
    const cancelDeadline = this.#deps.clock.setTimer(0, () => {
      const open = session.offers.get(wire);
      if (open === undefined) return;
      this.#take(session, open);
      if (session.hasUnsentBytes) void this.#reject(open.message, "undelivered", false);
      else void this.#overdue(session, open);
    });
    const open = session.offers.get(wire);
    if (open !== undefined) session.offers.set(wire, { ...open, cancelDeadline });
  }

  /** Not answered in its time: given more where its pool needs more, else taken back, and its answer awaited. */
  async #overdue(session: Session, open: OpenOffer): Promise<void> {
    const { clock, offerTimeoutMaxMs } = this.#deps;
    const { message: offer, askedAtMs } = open;
    const leftMs = askedAtMs + offerTimeoutMaxMs - clock.now();
    if (leftMs <= 0) {
      await this.#reject(offer, "silent", false);
      return;
    }
    const told = this.#reject(offer, "slow", false, leftMs);
    this.#late.expect(session, open, told);
    const longerMs = await told;
    if (longerMs === undefined || session.phase === "closed" || !this.#late.reopen(session, offer.wire))
      return;
    session.answerMs = longerMs;
    const againMs = Math.max(0, askedAtMs + longerMs - clock.now());
    const cancelDeadline = clock.setTimer(againMs, () => this.#deadline(session, offer.wire));
    session.offers.set(offer.wire, { ...open, cancelDeadline });
  }

  #take(session: Session, open: OpenOffer): void {
    open.cancelDeadline();
    session.offers.delete(open.message.wire);
  }

  async #settle(session: Session, open: OpenOffer, answer: AvailabilityResponse, receivedAtMs: number) {
    const { message: offer, askedAtMs } = open;
    if (!answer.available) {
      await this.#reject(offer, "rejected", answer.terminate);
      return;
    }
    const problem = answerProblem(answer);
    if (problem !== undefined) {
      session.log.warn(
        { job: offer.job, field: problem },
        "answer to an offer has a field that is too long; taken as a no",
      );
      await this.#reject(offer, "rejected", false);
      return;
    }
    if (this.#deps.clock.now() - receivedAtMs > this.#deps.maxAnswerAgeMs) {
      await this.#reject(offer, "undelivered", false);
      return;
    }
    this.#deps.metrics.stageTook("offer", receivedAtMs - askedAtMs);
    const outcome = await this.#deps.assignments.accept(session, offer, answer, receivedAtMs);
    this.#deps.metrics.offerEnded(outcome);
  }

  /**
   * Answers how long the worker is given in all, where the ledger gave it longer. Never rejects: a lost word is made up for
   * by the offer's deadline in the ledger.
   */
  async #reject(
    offer: OfferMessage,
    reason: RejectReason,
    terminate: boolean,
    lateMs = 0,
  ): Promise<number | undefined> {
    const { ledger, link, metrics, log, coolMs, guardMs } = this.#deps;
    const { namespace, job, session, epoch } = offer;
    try {
      const reply = await ledger.reject({
        namespace,
        job,
        session,
        epoch,
        reason,
        terminate,
        coolMs,
        guardMs,
        lateMs,
      });
      if (reply.status === "extended") return reply.answerMs;
      log.info(
        { namespace, job, session, reason, terminate, outcome: reply.status },
        "offer came to nothing",
      );
      if (reply.status === "stale") {
        metrics.offerEnded("stale");
        return undefined;
      }
      metrics.offerEnded(reply.status === "ended" ? "terminated" : reason);
      tellBlame({ log, metrics }, namespace, reply.blame);
      if (reply.status === "requeued") link.tell(namespace, { kind: "admit", job });
      link.serve(namespace, reply.serve);
    } catch (error) {
      metrics.offerEnded("failed");
      log.warn({ namespace, job, session, reason, err: error }, "an offer's end could not be written");
    }
    return undefined;
  }
}
