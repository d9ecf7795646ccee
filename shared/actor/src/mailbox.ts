/**
 * Owns the messages that wait for one actor: bounded, in order, and without twins. A message whose key is that of one
 * already waiting takes its place (the later content, the earlier position); one that is being worked on no longer
 * waits, so what comes meanwhile is kept. Full, it refuses: what is new is a hint, what is old may be its cause.
 */

export type MailOutcome = "queued" | "coalesced" | "full";

export interface MailboxDeps<M> {
  capacity: number;
  /** Messages with the same key say the same; undefined never coalesces. */
  keyOf: (message: M) => string | undefined;
}

interface Slot<M> {
  message: M;
  key: string | undefined;
}

/** Taken slots are cut off the front when they are many and most. */
const COMPACT_ABOVE = 256;

export class Mailbox<M> {
  readonly #capacity: number;
  readonly #keyOf: (message: M) => string | undefined;
  readonly #byKey = new Map<string, Slot<M>>();
  #slots: (Slot<M> | undefined)[] = [];
  #head = 0;

  constructor({ capacity, keyOf }: MailboxDeps<M>) {
    this.#capacity = capacity;
    this.#keyOf = keyOf;
  }

  get size(): number {
    return this.#slots.length - this.#head;
  }

  offer(message: M): MailOutcome {
    const key = this.#keyOf(message);
    const twin = key === undefined ? undefined : this.#byKey.get(key);
    if (twin !== undefined) {
      twin.message = message;
      return "coalesced";
    }
    if (this.size >= this.#capacity) return "full";
    const slot = { message, key };
    this.#slots.push(slot);
    if (key !== undefined) this.#byKey.set(key, slot);
    return "queued";
  }

  /** The oldest message, wrapped so that any value can be one; undefined when none waits. */
  take(): { message: M } | undefined {
    const slot = this.#slots[this.#head];
    if (slot === undefined) return undefined;
    this.#slots[this.#head] = undefined;
    this.#head += 1;
    if (slot.key !== undefined) this.#byKey.delete(slot.key);
    if (this.#head > COMPACT_ABOVE && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
    return slot;
  }

  /** Empties it. */
  drain(): M[] {
    const messages: M[] = [];
    for (let slot = this.take(); slot !== undefined; slot = this.take()) messages.push(slot.message);
    return messages;
  }
}
