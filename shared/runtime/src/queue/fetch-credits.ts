/**
 * Owns whether asking Redis for an entry is worth a command. A wake-up says "one more came in" and is one credit; a
 * fetch spends one. `suspected` means "there may be entries nobody told us of", which only an empty reply disproves.
 *
 * A reply of "empty" speaks of the moment at which it was asked: what was granted or suspected since then stays. So no
 * order of replies and wake-ups can lose an entry; the worst that a wrong count costs is one empty fetch.
 */

/** One fetch under way: what was known when it was sent. */
export interface FetchTicket {
  readonly grantedBefore: number;
  readonly suspicionsBefore: number;
}

export class FetchCredits {
  #credits = 0;
  #granted = 0;
  /** A queue just opened may hold anything. */
  #suspicions = 1;
  #disproved = 0;

  get suspected(): boolean {
    return this.#suspicions > this.#disproved;
  }

  get available(): boolean {
    return this.#credits > 0 || this.suspected;
  }

  grant(count: number): void {
    this.#credits += count;
    this.#granted += count;
  }

  suspect(): void {
    this.#suspicions += 1;
  }

  /** A ticket for one fetch, and foundNone() when it found none, suspect() when it failed; undefined when it would be in vain. */
  take(): FetchTicket | undefined {
    if (!this.available) return undefined;
    const ticket = { grantedBefore: this.#granted, suspicionsBefore: this.#suspicions };
    this.#credits = Math.max(0, this.#credits - 1);
    return ticket;
  }

  /** The queue was empty when `ticket` was sent, so whatever had been granted by then was fetched by somebody. */
  foundNone(ticket: FetchTicket): void {
    this.#credits = Math.min(this.#credits, this.#granted - ticket.grantedBefore);
    this.#disproved = Math.max(this.#disproved, ticket.suspicionsBefore);
  }
}
