/**
 * Owns which names live in this process: those that rendezvous hashing over the live nodes gives to it, from the first
 * message or due time until they rest, move, or the host stops. Ownership here buys order and speed only; for a moment
 * two nodes may host one name, so safety is the business of what actors write. Never drops a message for a name that is
 * owned elsewhere: it is handed back, or forwarded.
 */
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { CreateActor } from "./actor.js";
import { ActorCell, type ActorLimits } from "./actor-cell.js";
import type { DueIndex } from "./due-index.js";
import { sweepDue } from "./due-sweep.js";
import type { NodeLease } from "./node-lease.js";
import { ownerOf } from "./rendezvous.js";
import { messageOf, within } from "./timing.js";

export interface ActorHostOptions extends ActorLimits {
  sweepEveryMs: number;
  /** How old a mark in the due index must be before it is settled: longer than any writer takes from mark to fact. */
  settleMs: number;
  /** Without a message for this long, and not due, an actor is asked whether it may rest. */
  restAfterMs: number;
  mailboxCapacity: number;
}

export const ACTOR_HOST_DEFAULTS: ActorHostOptions = {
  sweepEveryMs: 2_000,
  settleMs: 5_000,
  restAfterMs: 60_000,
  mailboxCapacity: 10_000,
  turnLimitMs: 30_000,
  firstBackOffMs: 100,
  longestBackOffMs: 10_000,
  healthyAfterMs: 30_000,
};

export interface ActorHostDeps<M> {
  /** Its role's live nodes share the names out; its node is us. */
  lease: NodeLease;
  index: DueIndex;
  createActor: CreateActor<M>;
  /** Takes a message that waited for an actor which is no longer ours; sends it to the owner as of now. */
  forward: (name: string, message: M) => void;
  /** Messages to one actor with the same key coalesce while they wait; undefined never does. */
  keyOf: (message: M) => string | undefined;
  clock: Clock;
  /** 0 ≤ x < 1; spreads the sweeps of several hosts. */
  random: () => number;
  log: Log;
  options?: Partial<ActorHostOptions>;
}

export type Delivery = "taken" | "not_owner" | "full";

export class ActorHost<M> {
  readonly counts = {
    turns: 0,
    failures: 0,
    refused: 0,
    coalesced: 0,
    rested: 0,
    activated: 0,
    handedOver: 0,
    moved: 0,
    sweeps: 0,
  };
  readonly #deps: ActorHostDeps<M>;
  readonly #options: ActorHostOptions;
  readonly #cells = new Map<string, ActorCell<M>>();
  #isStopping = false;
  #unsubscribe = (): void => {};
  #cancelTick = (): void => {};
  #sweeping: Promise<void> | undefined;
  #mustSweepAgain = false;
  /** As of the last sweep. */
  #stillDue: ReadonlySet<string> = new Set();

  constructor(deps: ActorHostDeps<M>) {
    this.#deps = deps;
    this.#options = { ...ACTOR_HOST_DEFAULTS, ...deps.options };
  }

  /** Follows the lease and sweeps at once; names are hosted from the first renewal of the lease on. */
  start(): void {
    this.#unsubscribe = this.#deps.lease.subscribe({
      onChange: () => this.#onMembershipChange(),
      onRegain: () => this.#sweepSoon(),
    });
    this.#sweepSoon();
    this.#scheduleTick();
  }

  /** "full" when the actor's mailbox refused it: the sender's hint is lost, the facts are not. */
  deliver(name: string, message: M): Delivery {
    const existing = this.#cells.get(name);
    // A cell that is not on its way out is owned: each change of membership sees to it.
    const isHosted = existing !== undefined && !existing.isStopping;
    if (this.#isStopping || !(isHosted || this.#owns(name))) return "not_owner";
    const cell = existing ?? this.#activate(name);
    return cell.tell(message) === "full" ? "full" : "taken";
  }

  /** Where a message for `name` belongs as of the last renewal; undefined before the first. */
  ownerOf(name: string): string | undefined {
    return ownerOf(name, this.#deps.lease.liveNodes());
  }

  /** The names that are hosted now, among them those that are backing off or being stopped. */
  hostedNames(): string[] {
    return [...this.#cells.keys()];
  }

  /** Messages that wait for turns of the actors here. Looks at each actor. */
  waitingMessages(): number {
    let waiting = 0;
    for (const cell of this.#cells.values()) waiting += cell.waiting;
    return waiting;
  }

  /**
   * Hands everything over, in this order. Release the lease first, so that others take the names while we finish.
   * 1. No message is taken any more: what comes now belongs to the next owner.
   * 2. Timers and sweeps end: none may activate a name behind us.
   * 3. Every actor finishes its turn and stops its children, all at once.
   * 4. What waited in their mailboxes is forwarded, as each one ends.
   * Resolves with the number of actors that had not ended by the deadline; they are let go.
   */
  async stop({ deadlineMs }: { deadlineMs: number }): Promise<number> {
    this.#isStopping = true;
    this.#unsubscribe();
    this.#cancelTick();
    const ended = Promise.all([...this.#cells.values()].map((cell) => cell.stop()));
    await within(this.#deps.clock, deadlineMs, ended);
    const abandoned = this.#cells.size;
    if (abandoned > 0)
      this.#deps.log.warn({ abandoned }, "actors did not stop by the deadline; they are let go");
    return abandoned;
  }

  #owns(name: string): boolean {
    return this.ownerOf(name) === this.#deps.lease.nodeId;
  }

  #activate(name: string): ActorCell<M> {
    const { createActor, keyOf, clock, log } = this.#deps;
    this.counts.activated += 1;
    const cell = new ActorCell<M>({
      name,
      createActor,
      mailbox: { capacity: this.#options.mailboxCapacity, keyOf },
      limits: this.#options,
      counts: this.counts,
      clock,
      log,
      onEnded: (ended) => this.#onEnded(ended),
    });
    this.#cells.set(name, cell);
    return cell;
  }

  #onEnded(cell: ActorCell<M>): void {
    this.#cells.delete(cell.name);
    for (const message of cell.leftovers()) {
      // The name may have come back to us while its actor was ending.
      if (this.deliver(cell.name, message) !== "not_owner") continue;
      this.counts.moved += 1;
      try {
        this.#deps.forward(cell.name, message);
      } catch (error) {
        this.#deps.log.error(
          { actor: cell.name, err: error },
          "a message of a moved actor was not forwarded",
        );
      }
    }
  }

  #onMembershipChange(): void {
    for (const cell of this.#cells.values()) {
      if (this.#owns(cell.name) || cell.isStopping) continue;
      this.counts.handedOver += 1;
      void cell.stop();
    }
    this.#sweepSoon();
  }

  #scheduleTick(): void {
    const jitter = 0.75 + this.#deps.random() / 2;
    this.#cancelTick = this.#deps.clock.setTimer(this.#options.sweepEveryMs * jitter, () => {
      this.#restIdle();
      this.#sweepSoon();
      this.#scheduleTick();
    });
  }

  #restIdle(): void {
    // A sweep under way may be activating what this would let rest.
    if (this.#sweeping !== undefined) return;
    for (const cell of this.#cells.values()) {
      if (!this.#stillDue.has(cell.name)) cell.restWhenIdle(this.#options.restAfterMs);
    }
  }

  /** One sweep at a time; a cause for another one while it runs is remembered. */
  #sweepSoon(): void {
    if (this.#sweeping !== undefined) {
      this.#mustSweepAgain = true;
      return;
    }
    this.#sweeping = this.#sweep().finally(() => {
      this.#sweeping = undefined;
      if (!this.#mustSweepAgain || this.#isStopping) return;
      this.#mustSweepAgain = false;
      this.#sweepSoon();
    });
  }

  async #sweep(): Promise<void> {
    const { index, clock, lease, log } = this.#deps;
    // Without a lease others may host all of ours: what is due is theirs until we are back.
    if (!lease.isHeld()) return;
    this.counts.sweeps += 1;
    try {
      this.#stillDue = await sweepDue({
        index,
        clock,
        settleMs: this.#options.settleMs,
        owns: (name) => !this.#isStopping && this.#owns(name),
        hosted: (name) => this.#cells.get(name),
        activate: (name) => void this.#activate(name),
      });
    } catch (error) {
      log.warn({ error: messageOf(error) }, "due index not swept; trying again");
    }
  }
}
