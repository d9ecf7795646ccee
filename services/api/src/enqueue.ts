/**
 * Puts jobs before the actor of their namespace: the queue entry first, which is durable, and behind it the wake-up. Died
 * between the two: the entry is found with the next look at the namespace.
 */

import { createHash } from "node:crypto";
import type { IntakeProducer } from "@muster/runtime/queue/intake-producer";
import type { Hints } from "./hints.js";

export interface EnqueueDeps {
  producer: Pick<IntakeProducer, "add">;
  hints: Hints;
}

export interface NewEntry {
  order: string;
  /** 0–1000, higher first. */
  priority: number;
  /** All that the order has, or those that came to it later. */
  jobs: readonly string[];
  isLater?: boolean;
}

/** The queue serves 1 first, orders have 1000 for the most urgent. */
const QUEUE_PRIORITY_OF_0 = 1_001;
/** What fits into an entry. */
const JOBS_PER_ENTRY = 500;
const DIGEST_CHARACTERS = 12;

export class Enqueue {
  readonly #deps: EnqueueDeps;

  constructor(deps: EnqueueDeps) {
    this.#deps = deps;
  }

  /** Repeated with the same jobs, it changes nothing. */
  async add(namespace: string, { order, priority, jobs, isLater = false }: NewEntry): Promise<void> {
    const { producer, hints } = this.#deps;
    for (let first = 0; first < jobs.length; first += JOBS_PER_ENTRY) {
      const some = jobs.slice(first, first + JOBS_PER_ENTRY);
      // An entry under an id that is still in the queue is not added: other jobs want another id.
      const id = isLater ? `${order}.${digestOf(some)}` : order;
      await producer.add(namespace, { id, priority: QUEUE_PRIORITY_OF_0 - priority, data: { jobs: some } });
      hints.wake(namespace, { kind: "intake", count: 1 });
    }
  }
}

function digestOf(jobs: readonly string[]): string {
  return createHash("sha256").update(jobs.join()).digest("base64url").slice(0, DIGEST_CHARACTERS);
}
