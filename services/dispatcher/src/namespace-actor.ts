/**
 * The actor of one namespace: takes work orders off its queue, places jobs, and ends what is overdue. Lives in one
 * dispatcher at a time, and for a moment perhaps in two: every move it makes is a script that checks for itself.
 * Keeps no fact; ended and made anew at any instant, it loses nothing.
 */

import type { Actor } from "@muster/actor/actor";
import { assertNever } from "@muster/domain/assert";
import type { NamespaceMessage } from "@muster/domain/node-message";
import type { Ledger } from "@muster/ledger/ledger";
import type { IntakeConsumer } from "@muster/runtime/queue/intake-consumer";
import type { IntakeHub } from "@muster/runtime/queue/intake-hub";
import type { Assign } from "./assign.js";
import type { Deadlines } from "./deadlines.js";
import type { Generation } from "./generation.js";
import { jobsOf } from "./intake.js";
import type { Orphans } from "./orphans.js";
import type { Presence } from "./presence.js";
import type { StoppedAgents } from "./stopped-agents.js";
import type { ToldEvents } from "./told-events.js";
import type { Unjoined } from "./unjoined.js";

export interface NamespaceActorDeps {
  namespace: string;
  ledger: Ledger;
  hub: IntakeHub;
  assign: Assign;
  orphans: Orphans;
  stoppedAgents: StoppedAgents;
  unjoined: Unjoined;
  presence: Pick<Presence, "isKnown">;
  /** Whether a success is doubted of a job whose agent nobody saw. */
  doubtsReports: boolean;
  deadlines: Deadlines;
  generation: Generation;
  told: ToldEvents;
  /** Entries that wait in its queue, as of each look; 0 at its end. */
  seeQueued(count: number): void;
  /** Work that no turn waits for failed: the host restarts the actor. */
  fail(error: unknown): void;
}

/** Entries of one namespace that are handled at a time: one claim is a round trip, and several share it. */
const INTAKE_CONCURRENCY = 16;
/** A namespace that is awake is due again this soon: less than a lease, so that it is found as soon as its host is dead. */
const REVIEW_EVERY_MS = 2_000;
/** For so long a namespace takes presence for known after it was last looked at; many looks. */
const PRESENCE_KNOWN_MS = 60_000;
/** Pools looked at in one call, for hints that were lost. */
const POOLS_AT_ONCE = 256;

export class NamespaceActor implements Actor<NamespaceMessage> {
  readonly #deps: NamespaceActorDeps;
  readonly #underWay = new Set<Promise<void>>();
  #intake: IntakeConsumer | undefined;
  /** True from the moment that the ledger said the namespace rests, until something comes. */
  #resting = false;

  constructor(deps: NamespaceActorDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { namespace, hub, assign, deadlines, told } = this.#deps;
    this.#intake = hub.open(namespace, async (entry) => void (await this.#admitAll(jobsOf(entry), assign)), {
      concurrency: INTAKE_CONCURRENCY,
    });
    deadlines.start();
    told.expect(); // of the host before us
    this.#begin(this.#findMissed("first"));
  }

  /** Hints: none is waited for, so that a slow one holds up no other. */
  receive(message: NamespaceMessage): void {
    const { assign, deadlines, orphans, told } = this.#deps;
    // The ledger forgot with its rest that presence is known: a report that comes before the next review must be doubted too.
    if (this.#resting) this.#begin(this.#findMissed("again"));
    this.#resting = false;
    told.expect();
    switch (message.kind) {
      case "intake":
        this.#intake?.wake(message.count);
        return;
      case "admit":
        this.#begin(assign.admit(message.job));
        return;
      case "serve":
        this.#begin(assign.serve(message.pool));
        return;
      case "orphan":
        orphans.look(message.job, "lost");
        return;
      case "due":
        deadlines.nudge(message.atMs);
        return;
      default:
        assertNever(message, "namespace message");
    }
  }

  async review(): Promise<number | undefined> {
    const { namespace, ledger, told, seeQueued } = this.#deps;
    const rest = await ledger.rest({ namespace, listenMs: await told.listenMs() });
    this.#resting = rest.status === "resting";
    seeQueued(rest.status === "resting" ? 0 : rest.queued);
    if (rest.status === "resting") return rest.next === -1 ? undefined : rest.next;
    // Somebody may have died between adding an entry and telling us of it.
    if (rest.queued > 0) this.#intake?.wake();
    if (rest.told > 0) this.#begin(told.move());
    return (await this.#findMissed("again")) + REVIEW_EVERY_MS;
  }

  mayRest(): boolean {
    const { orphans, stoppedAgents, unjoined } = this.#deps;
    if (!this.#resting || !orphans.idle() || !stoppedAgents.idle() || !unjoined.idle()) return false;
    return this.#underWay.size === 0 && (this.#intake?.idle() ?? true);
  }

  /** First nothing new comes in, then no timer fires, then what is under way ends. */
  async stop(): Promise<void> {
    const { namespace, deadlines, orphans, stoppedAgents, unjoined, generation, told, seeQueued } =
      this.#deps;
    generation.forget(namespace);
    seeQueued(0);
    await this.#intake?.close();
    await deadlines.stop();
    await orphans.stop();
    await stoppedAgents.stop();
    await unjoined.stop();
    await Promise.allSettled(this.#underWay);
    await told.stop();
  }

  async #presenceMs(): Promise<number> {
    const { presence, doubtsReports } = this.#deps;
    if (!doubtsReports) return 0;
    return (await presence.isKnown().catch(() => false)) ? PRESENCE_KNOWN_MS : 0;
  }

  /**
   * Hints can be lost, with whoever hosted the namespace before us or on the way. Room that jobs wait for is looked for
   * each time; orphans at first only, since each has a timer that asks about it again. Answers the time of Redis.
   */
  async #findMissed(time: "first" | "again"): Promise<number> {
    const { namespace, ledger, assign, orphans, generation } = this.#deps;
    const presenceMs = await this.#presenceMs();
    for (let first = 0; ; ) {
      const reply = await ledger.listWaiting({ namespace, first, limit: POOLS_AT_ONCE, presenceMs });
      if (first === 0) generation.note(namespace, { jobs: reply.jobs, sessions: reply.sessions });
      for (const pool of reply.pools) this.#begin(assign.serve(pool));
      if (time === "first") for (const job of reply.orphans) orphans.look(job, "lost");
      if (reply.next === -1) return reply.now;
      first = reply.next;
    }
  }

  async #admitAll(jobs: readonly string[], assign: Assign): Promise<void> {
    for (const job of jobs) await assign.admit(job);
    this.#deps.told.expect();
  }

  #begin(work: Promise<unknown>): void {
    const tracked = work
      .then(() => undefined)
      .catch((error: unknown) => this.#deps.fail(error))
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }
}
