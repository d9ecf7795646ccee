/**
 * Owns one hosted name: its mailbox, the actor that lives in it now, and the supervision of that actor.
 *
 * starting     an actor was made and looks at the facts; entered at first, and after each back-off.
 * running      takes turns; left by a failure, by rest, or by stop().
 * backing off  the last actor failed; its mailbox is kept, the message that it failed at is not.
 * ended        it rested, or was stopped; whoever hosts it is told, once, and takes what is left in the mailbox.
 *
 * A failure is a throw, a rejection, a turn over its limit, or fail(). It is counted and logged, and never leaves here.
 */
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { Actor, CreateActor } from "./actor.js";
import { Mailbox, type MailboxDeps, type MailOutcome } from "./mailbox.js";
import { within } from "./timing.js";

export interface ActorLimits {
  /** A turn, start or stop that takes longer has failed. */
  turnLimitMs: number;
  firstBackOffMs: number;
  longestBackOffMs: number;
  /** An actor that lived for this long before it failed begins with the first back-off again. */
  healthyAfterMs: number;
}

export interface ActorCounts {
  turns: number;
  failures: number;
  refused: number;
  coalesced: number;
  rested: number;
}

export interface ActorCellDeps<M> {
  name: string;
  createActor: CreateActor<M>;
  mailbox: MailboxDeps<M>;
  limits: ActorLimits;
  counts: ActorCounts;
  clock: Clock;
  log: Log;
  onEnded: (cell: ActorCell<M>) => void;
}

type EndOfLife = "failed" | "rested" | "stopped";

interface Life<M> {
  actor: Actor<M>;
  failure: { error: unknown } | undefined;
}

export class ActorCell<M> {
  readonly name: string;
  readonly #deps: ActorCellDeps<M>;
  readonly #mailbox: Mailbox<M>;
  readonly #done: Promise<void>;
  /** Set while the actor is running. */
  #life: Life<M> | undefined;
  #isInTurn = false;
  #isStopping = false;
  #isResting = false;
  #failuresInARow = 0;
  #activeAtMs: number;
  #wakeTurns = (): void => {};
  #endBackOff = (): void => {};

  /** Begins to live at once. */
  constructor(deps: ActorCellDeps<M>) {
    this.name = deps.name;
    this.#deps = deps;
    this.#mailbox = new Mailbox(deps.mailbox);
    this.#activeAtMs = deps.clock.now();
    // The first life begins after the constructor, so that the host knows the cell when its actor is made.
    this.#done = Promise.resolve().then(() => this.#live());
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Messages that wait for a turn. */
  get waiting(): number {
    return this.#mailbox.size;
  }

  tell(message: M): MailOutcome {
    const outcome = this.#mailbox.offer(message);
    if (outcome === "full") this.#deps.counts.refused += 1;
    if (outcome === "coalesced") this.#deps.counts.coalesced += 1;
    this.#isResting = false;
    this.#activeAtMs = this.#deps.clock.now();
    this.#wakeTurns();
    return outcome;
  }

  /** What the running actor says of its next due time; "not_running" where there is none to ask or it failed. */
  async review(): Promise<{ dueAtMs: number | undefined } | "not_running"> {
    const life = this.#life;
    if (life === undefined) return "not_running";
    try {
      return { dueAtMs: await this.#limited(life.actor.review()) };
    } catch (error) {
      this.#fail(life, error);
      return "not_running";
    }
  }

  /** Lets the actor rest when it was idle for `idleMs` and agrees. */
  restWhenIdle(idleMs: number): void {
    const life = this.#life;
    const isIdle = !this.#isInTurn && this.#mailbox.size === 0;
    if (life === undefined || !isIdle || this.#deps.clock.now() - this.#activeAtMs < idleMs) return;
    try {
      this.#isResting = life.actor.mayRest();
      if (this.#isResting) this.#wakeTurns();
    } catch (error) {
      this.#fail(life, error);
    }
  }

  /** Lets the turn that runs finish, stops the actor, and resolves. What waits in the mailbox stays there. */
  stop(): Promise<void> {
    this.#isStopping = true;
    this.#wakeTurns();
    this.#endBackOff();
    return this.#done;
  }

  /** What was never taken; for whoever is told that the cell ended. */
  leftovers(): M[] {
    return this.#mailbox.drain();
  }

  async #live(): Promise<void> {
    for (;;) {
      const end = this.#isStopping ? "stopped" : await this.#oneLife();
      if (end === "failed" && !this.#isStopping) await this.#backOff();
      if (end === "rested") this.#deps.counts.rested += 1;
      // A message may have come while the resting actor was being stopped.
      if (this.#isStopping || (end === "rested" && this.#mailbox.size === 0)) break;
    }
    this.#deps.onEnded(this);
  }

  async #oneLife(): Promise<EndOfLife> {
    const { clock, createActor, limits, log, name } = this.#deps;
    const bornAtMs = clock.now();
    let life: Life<M> | undefined;
    let end: EndOfLife;
    this.#isResting = false;
    try {
      const actor = createActor(name, {
        name,
        tell: (message) => this.tell(message),
        fail: (error) => life !== undefined && this.#fail(life, error),
      });
      life = { actor, failure: undefined };
      await this.#limited(actor.start());
      this.#life = life;
      end = await this.#turns(life);
    } catch (error) {
      if (clock.now() - bornAtMs >= limits.healthyAfterMs) this.#failuresInARow = 0;
      this.#failuresInARow += 1;
      this.#deps.counts.failures += 1;
      log.error(
        { actor: name, err: error, failuresInARow: this.#failuresInARow },
        "actor failed; it is restarted",
      );
      end = "failed";
    }
    this.#life = undefined;
    if (life !== undefined) await this.#stopActor(life.actor);
    return end;
  }

  async #turns(life: Life<M>): Promise<"rested" | "stopped"> {
    for (;;) {
      if (life.failure !== undefined) throw life.failure.error;
      if (this.#isStopping) return "stopped";
      const next = this.#mailbox.take();
      if (next !== undefined) {
        await this.#turn(life.actor, next.message);
      } else if (this.#isResting) {
        return "rested";
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeTurns = resolve;
        });
      }
    }
  }

  async #turn(actor: Actor<M>, message: M): Promise<void> {
    this.#deps.counts.turns += 1;
    this.#isInTurn = true;
    try {
      const turn = actor.receive(message);
      if (turn !== undefined) await this.#limited(turn);
    } finally {
      this.#isInTurn = false;
      this.#activeAtMs = this.#deps.clock.now();
    }
  }

  /** Of an actor that failed already, or was replaced, nothing more is heard. */
  #fail(life: Life<M>, error: unknown): void {
    life.failure ??= { error };
    this.#wakeTurns();
  }

  async #stopActor(actor: Actor<M>): Promise<void> {
    try {
      await this.#limited(actor.stop());
    } catch (error) {
      this.#deps.log.error({ actor: this.name, err: error }, "actor did not stop as it should; it is let go");
    }
  }

  async #backOff(): Promise<void> {
    const { clock, limits } = this.#deps;
    const delayMs = Math.min(
      limits.firstBackOffMs * 2 ** (this.#failuresInARow - 1),
      limits.longestBackOffMs,
    );
    await new Promise<void>((resolve) => {
      const cancel = clock.setTimer(delayMs, resolve);
      this.#endBackOff = () => {
        cancel();
        resolve();
      };
    });
  }

  async #limited<T>(work: Promise<T>): Promise<T> {
    const outcome = await within(this.#deps.clock, this.#deps.limits.turnLimitMs, work);
    if (outcome.late) throw new Error("an actor took longer than its limit");
    return outcome.value;
  }
}
