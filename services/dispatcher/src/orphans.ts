/**
 * Decides the fate of orphans: asks presence, at once when the worker is lost and again whenever the orphan's timer is
 * due, and has the ledger settle what follows. At once only evidence counts; what nobody knows is the timer's business,
 * so that an overdue grace can start again after a gap of ours. Keeps no fact: an answer that never comes costs time.
 * An agent that may still be in its room is put out before its job is offered to another: within a second, or not at all.
 */

import { within } from "@muster/actor/timing";
import type { Ledger } from "@muster/ledger/ledger";
import { jobRecord } from "@muster/ledger/records";
import { type FormerAgent, removeAgent } from "@muster/livekit/remove-agent";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Assign } from "./assign.js";
import type { Hold } from "./hold.js";
import type { DispatcherMetrics } from "./metrics.js";
import type { DispatchPolicy } from "./policy.js";
import type { Presence, PresenceQuestion, PresenceVerdict } from "./presence.js";
import type { RoomAttendant } from "./stopped-agents.js";

export interface OrphansDeps {
  namespace: string;
  ledger: Ledger;
  presence: Presence;
  /** undefined: nobody can put an agent out of its room. */
  roomService: RoomAttendant | undefined;
  assign: Pick<Assign, "admit" | "serve">;
  hold: Pick<Hold, "isHolding" | "endsAtMs">;
  policy: DispatchPolicy;
  metrics: DispatcherMetrics;
  clock: Clock;
  log: Log;
  /** Called with each new timer, so that the deadline loop wakes for it. */
  onDue(atMs: number): void;
}

/** A gateway that dies leaves thousands; whoever answers for LiveKit is not asked all of them at once. */
const MOST_AT_ONCE = 16;
/** To see who is there, and to put it out: both together hold an offer up for no more than a second. */
const REMOVAL_CALL_MS = 500;
const REMOVAL_MS = 2 * REMOVAL_CALL_MS;

type Cause = "lost" | "timer";

export class Orphans {
  readonly #deps: OrphansDeps;
  /** By job, in order of arrival. */
  readonly #waiting = new Map<string, Cause>();
  readonly #asking = new Set<Promise<void>>();
  #cancelHold = (): void => {};
  #stopped = false;

  constructor(deps: OrphansDeps) {
    this.#deps = deps;
  }

  /** Soon, and not waited for: an answer may take its time. `timer`: the ledger said that the orphan's timer is due. */
  look(job: string, cause: Cause): void {
    if (this.#waiting.get(job) !== "timer") this.#waiting.set(job, cause);
    this.#next();
  }

  /** True when nobody is being asked about. */
  idle(): boolean {
    return this.#waiting.size === 0 && this.#asking.size === 0;
  }

  /** Who was not asked about yet has a timer in the ledger. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelHold();
    this.#waiting.clear();
    await Promise.all(this.#asking);
  }

  #next(): void {
    const { hold, clock } = this.#deps;
    while (!this.#stopped && this.#asking.size < MOST_AT_ONCE) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      // Its gateway may be about to assert that the job runs.
      if (hold.isHolding()) {
        this.#cancelHold();
        this.#cancelHold = clock.setTimer(Math.max(1, hold.endsAtMs() - clock.now()), () => this.#next());
        return;
      }
      this.#waiting.delete(first[0]);
      const asking = this.#ask(...first).finally(() => {
        this.#asking.delete(asking);
        this.#next();
      });
      this.#asking.add(asking);
    }
  }

  async #ask(job: string, cause: Cause): Promise<void> {
    const { namespace, ledger, log } = this.#deps;
    try {
      const found = await ledger.readRecord({ namespace, kind: "job", id: job });
      if (found.status === "unknown") return;
      const { state, epoch, room, agentIdentity } = jobRecord(found.record);
      if (state !== "orphaned") return;
      const participantSid = found.record.participant_sid ?? "";
      const question = { namespace, job, room, agentIdentity, participantSid };
      const [verdict, isDeserted] = await Promise.all([this.#verdict(question), this.#isDeserted(question)]);
      if (verdict === "unknown" && cause === "lost") return;
      await this.#settle({ room, identity: agentIdentity, job, upToEpoch: epoch }, verdict, isDeserted);
    } catch (error) {
      log.warn({ namespace, job, err: error }, "an orphan could not be settled; its timer asks again");
    }
  }

  /** What presence says, if it says so in time. */
  #verdict(question: PresenceQuestion): Promise<PresenceVerdict> {
    return this.#inTime<PresenceVerdict>(question, "unknown", this.#deps.presence.ask(question));
  }

  #isDeserted(question: PresenceQuestion): Promise<boolean> {
    return this.#inTime(question, false, this.#deps.presence.isDeserted(question.room));
  }

  async #inTime<T>({ namespace, job }: PresenceQuestion, otherwise: T, asking: Promise<T>): Promise<T> {
    const { policy, clock, log } = this.#deps;
    const askedAtMs = clock.now();
    try {
      const answer = await within(clock, policy.presenceLimitMs, asking);
      // By our clock too: in a process that was frozen, the answer may be taken up before the timer.
      if (answer.late || clock.now() - askedAtMs > policy.presenceLimitMs) return otherwise;
      return answer.value;
    } catch (error) {
      log.warn({ namespace, job, err: error }, "presence could not be asked");
      return otherwise;
    }
  }

  async #settle(agent: FormerAgent, verdict: PresenceVerdict, deserted: boolean): Promise<void> {
    const { namespace, ledger, roomService, assign, hold, policy, metrics, log, onDue } = this.#deps;
    const { job, upToEpoch: epoch } = agent;
    // A gap while we asked: what was said before it is no evidence after it. The timer asks again.
    if (hold.isHolding()) return;
    const { resumeUnproven, recheckMs, startMs, stopMs, silentJobMs: silentMs } = policy;
    const reply = await ledger.settleOrphan({
      ...{ namespace, job, epoch, verdict, deserted },
      removeMs: roomService === undefined ? 0 : REMOVAL_MS,
      ...{ resumeUnproven, recheckMs, startMs, silentMs, stopMs },
    });
    if (reply.status === "stale") return;
    metrics.orphanSettled(verdict, reply.status);
    switch (reply.status) {
      case "kept":
        onDue(reply.due);
        return;
      case "resumed":
        log.info({ namespace, job, verdict }, "job is resumed on another worker");
        metrics.redispatched("worker_lost");
        if (verdict !== "absent") await this.#putOut(agent);
        await assign.admit(job);
        break;
      case "ended":
        log.info({ namespace, job, verdict, outcome: reply.outcome }, "job ended with its worker");
        metrics.jobEnded(reply.outcome);
        break;
    }
    if (reply.serve !== "") await assign.serve(reply.serve);
  }

  /** Best effort: the token of the next holder puts out who is still there anyway, once it joins. */
  async #putOut(agent: FormerAgent): Promise<void> {
    const { namespace, roomService, metrics, log } = this.#deps;
    if (roomService === undefined || agent.identity === "") return;
    try {
      if ((await removeAgent(roomService, agent, REMOVAL_CALL_MS)) === "removed")
        metrics.agentRemoved("resumed");
    } catch (error) {
      log.warn(
        { namespace, job: agent.job, err: error },
        "the agent of a lost worker could not be put out of its room; its job is resumed all the same",
      );
    }
  }
}
