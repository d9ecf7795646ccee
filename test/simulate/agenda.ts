/**
 * Owns virtual time: what happens when, in one order for one seed. Nothing here waits by a real clock. What happens
 * within one hop, the shortest time in which anything can have an effect, is issued together, so that its Redis commands
 * share a round trip. What their answers lead to is done once all are there, in the order of what happened and not of what
 * was answered first, and comes no sooner than a hop later.
 */
import { invariant } from "@muster/domain/assert";

/** What follows from the answers; issues no command itself. */
export type Effect = () => void;
type Happening = (nowMs: number) => undefined | Promise<Effect>;

interface Entry {
  atMs: number;
  /** Entries of one time happen in the order in which they were put down. */
  order: number;
  run: Happening;
}

const isBefore = (a: Entry, b: Entry): boolean => (a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs);

export class Agenda {
  /** The time in which nothing that happens can have an effect elsewhere, in ms. */
  readonly hopMs: number;
  readonly #heap: Entry[] = [];
  #count = 0;
  /** Nothing may be put down before this: it is over, or its commands are under way. */
  #floorMs = 0;

  constructor(hopMs: number) {
    this.hopMs = hopMs;
  }

  /** Puts `run` down for `atMs`, a whole number of ms. */
  at(atMs: number, run: Happening): void {
    invariant(atMs >= this.#floorMs, "the simulator put something down for a time that is over");
    const heap = this.#heap;
    const entry = { atMs, order: this.#count++, run };
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  /** Lets everything happen that is down for a time before `endMs`; `passed` hears now and then how far it is. */
  async runUntil(endMs: number, passed: (nowMs: number) => void): Promise<void> {
    for (let first = this.#heap[0]; first !== undefined && first.atMs < endMs; first = this.#heap[0]) {
      const windowEndMs = first.atMs + this.hopMs;
      const pending: Promise<Effect>[] = [];
      for (let next = this.#heap[0]; next !== undefined && next.atMs < windowEndMs; next = this.#heap[0]) {
        this.#take();
        this.#floorMs = next.atMs;
        const underWay = next.run(next.atMs);
        if (underWay !== undefined) pending.push(underWay);
      }
      this.#floorMs = windowEndMs;
      if (pending.length > 0) for (const effect of await Promise.all(pending)) effect();
      passed(windowEndMs);
    }
  }

  #take(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      const below = heap[child] as Entry;
      if (!isBefore(below, last)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}
