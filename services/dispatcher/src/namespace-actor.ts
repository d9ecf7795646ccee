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
import { jobsOf } from "./intake.js";

export interface NamespaceActorDeps {
  namespace: string;
  ledger: Ledger;
  hub: IntakeHub;
  assign: Assign;
  deadlines: Deadlines;
  /** Work that no turn waits for failed: the host restarts the actor. */
  fail(error: unknown): void;
}

/** Entries of one namespace that are handled at a time: one claim is a round trip, and several share it. */
const INTAKE_CONCURRENCY = 16;
/** A namespace that is awake is looked at again this soon, should its host die with all the hints. */
const REVIEW_EVERY_MS = 5_000;

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
    const { namespace, hub, assign, deadlines } = this.#deps;
    this.#intake = hub.open(namespace, async (entry) => void (await this.#admitAll(jobsOf(entry), assign)), {
      concurrency: INTAKE_CONCURRENCY,
    });
    deadlines.start();
  }

  /** Hints: none is waited for, so that a slow one holds up no other. */
  receive(message: NamespaceMessage): void {
    const { assign } = this.#deps;
    this.#resting = false;
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
      default:
        assertNever(message, "namespace message");
    }
  }

  async review(): Promise<number | undefined> {
    const { namespace, ledger } = this.#deps;
    const rest = await ledger.rest({ namespace });
    this.#resting = rest.status === "resting";
    if (rest.status === "resting") return rest.next === -1 ? undefined : rest.next;
    const due = await ledger.listDue({ namespace, limit: 1 });
    return due.now + REVIEW_EVERY_MS;
  }

  mayRest(): boolean {
    return this.#resting && this.#underWay.size === 0 && (this.#intake?.idle() ?? true);
  }

  /** First nothing new comes in, then no timer fires, then what is under way ends. */
  async stop(): Promise<void> {
    await this.#intake?.close();
    await this.#deps.deadlines.stop();
    await Promise.allSettled(this.#underWay);
  }

  async #admitAll(jobs: readonly string[], assign: Assign): Promise<void> {
    for (const job of jobs) await assign.admit(job);
  }

  #begin(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#deps.fail(error))
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }
}
