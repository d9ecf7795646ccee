/**
 * Owns offers that were not answered in their time while their sockets live. The job goes on to others, and the worker is
 * not blamed: slow is not sick. What it answers up to the longest time still counts: it says how long the worker needs, and a
 * yes is taken where nobody was asked since. Only no answer at all is silence. Kept in memory: with the gateway its sockets
 * go, and the ledger's timer ends the wait.
 */

import { tellBlame } from "@muster/ledger/tell-blame";
import type { AvailabilityResponse } from "@muster/wire/generated/livekit";
import { answerProblem } from "./answer.js";
import { lengthened } from "./answer-time.js";
import type { OffersDeps } from "./offers-deps.js";
import type { OpenOffer } from "./open-offer.js";
import { untilDone } from "./retry.js";
import type { Session } from "./session.js";

export interface LateAnswersDeps extends OffersDeps {
  /** The offer was given more time, and the answer came while that was being written: it is in time. */
  answered: (session: Session, open: OpenOffer, answer: AvailabilityResponse, receivedAtMs: number) => void;
}

interface LateOffer {
  readonly open: OpenOffer;
  /** Once the ledger was told that it is slow: how long the worker is given in all, where that is longer. */
  readonly told: Promise<number | undefined>;
  cancelEnd: () => void;
}

export class LateAnswers {
  readonly #deps: LateAnswersDeps;
  readonly #late = new WeakMap<Session, Map<string, LateOffer>>();
  #isAbandoned = false;

  constructor(deps: LateAnswersDeps) {
    this.#deps = deps;
  }

  /** From now on the answer to this offer is late. `told`: how long it is given after all. */
  expect(session: Session, open: OpenOffer, told: Promise<number | undefined>): void {
    const { clock, offerTimeoutMaxMs } = this.#deps;
    const leftMs = Math.max(0, open.askedAtMs + offerTimeoutMaxMs - clock.now());
    const { wire } = open.message;
    const late = { open, told, cancelEnd: clock.setTimer(leftMs, () => void this.#end(session, wire)) };
    const all = this.#late.get(session) ?? new Map<string, LateOffer>();
    this.#late.set(session, all.set(wire, late));
    session.lateAskedAtMs = clock.now();
  }

  /** False when no answer to this is awaited. */
  answer(session: Session, answer: AvailabilityResponse): boolean {
    const late = this.#take(session, answer.jobId);
    if (late !== undefined) void this.#settle(session, late, answer, this.#deps.clock.now());
    return late !== undefined;
  }

  /** The offer was given more time after all: true when it was not answered meanwhile. */
  reopen(session: Session, wire: string): boolean {
    return this.#take(session, wire) !== undefined;
  }

  /** The socket is gone: nobody is blamed for what cannot come any more. */
  forgetAll(session: Session): void {
    for (const wire of [...(this.#late.get(session)?.keys() ?? [])]) this.#take(session, wire);
  }

  /** Gives up what could not be written; the timers of the ledger do it then. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  #take(session: Session, wire: string): LateOffer | undefined {
    const late = this.#late.get(session)?.get(wire);
    late?.cancelEnd();
    this.#late.get(session)?.delete(wire);
    return late;
  }

  async #settle(session: Session, late: LateOffer, answer: AvailabilityResponse, receivedAtMs: number) {
    const { metrics, assignments, offerTimeoutMaxMs, maxAnswerAgeMs, clock } = this.#deps;
    const { message: offer, askedAtMs } = late.open;
    if ((await late.told) !== undefined) {
      this.#deps.answered(session, late.open, answer, receivedAtMs);
      return;
    }
    session.answerMs = lengthened(session.answerMs, receivedAtMs - askedAtMs, offerTimeoutMaxMs);
    const isYes = answer.available && answerProblem(answer) === undefined;
    if (!isYes || clock.now() - receivedAtMs > maxAnswerAgeMs) {
      metrics.answeredLate("no");
      await this.#write(session, late, "no");
      return;
    }
    const outcome = await assignments.accept(session, offer, answer, receivedAtMs, async (accepting) => {
      const { settled, args } = this.#argsOf(session, late, "yes");
      const reply = await settled({ ...args, ...accepting });
      this.#deps.link.serve(offer.namespace, reply.serve);
      return reply.status === "started" ? reply : { status: "stale", state: reply.state };
    });
    metrics.answeredLate(outcome === "accepted" ? "taken" : "too_late");
  }

  /** No answer in the longest time that is given. */
  async #end(session: Session, wire: string): Promise<void> {
    const late = this.#take(session, wire);
    if (late === undefined) return;
    await late.told;
    // Bytes that the worker has not read yet can be the question itself.
    if (session.phase === "closed" || session.hasUnsentBytes) return;
    this.#deps.metrics.answeredLate("never");
    await this.#write(session, late, "none");
  }

  async #write(session: Session, late: LateOffer, answer: "no" | "none"): Promise<void> {
    const { clock, link, metrics, log } = this.#deps;
    const { namespace, job } = late.open.message;
    const { settled, args } = this.#argsOf(session, late, answer);
    const reply = await untilDone(
      clock,
      () => !this.#isAbandoned && session.phase !== "closed",
      () => settled({ ...args, agentIdentity: "", startMs: 0 }),
      (error) => log.warn({ namespace, job, err: error }, "a late answer is not yet written; trying again"),
    );
    if (reply === undefined) return;
    link.serve(namespace, reply.serve);
    if (reply.status === "noted") tellBlame({ log, metrics }, namespace, reply.blame);
  }

  #argsOf(session: Session, late: LateOffer, answer: "yes" | "no" | "none") {
    const { ledger, coolMs } = this.#deps;
    const { namespace, job, epoch, offeredAtMs: offeredAt } = late.open.message;
    const answerMs = answer === "none" ? 0 : (session.answerMs ?? 0);
    const args = { namespace, job, session: session.id, epoch, offeredAt, answer, answerMs, coolMs };
    return { settled: ledger.settleLate, args };
  }
}
