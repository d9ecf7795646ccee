/**
 * Owns what is remembered of a job that runs here, so that a ledger that forgot it can be told again: what its offer
 * said, and who the agent became. Bounded for the whole gateway, since metadata may be large: beyond the bound a job
 * runs on as ever, and only a flushed Redis would not learn of it again.
 */

import type { OfferMessage } from "@muster/domain/node-message";

export interface JobFacts {
  offer: OfferMessage;
  /** Identity of the agent's participant. */
  agentIdentity: string;
}

/** What else an entry costs, about. */
const ENTRY_BYTES = 1_024;
const MAX_BYTES = 128 * 1024 * 1024;

export class FactMemory {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor({ maxBytes = MAX_BYTES }: { maxBytes?: number } = {}) {
    this.#maxBytes = maxBytes;
  }

  /** False: no room, and nothing was taken. */
  take(facts: JobFacts): boolean {
    const bytes = sizeOf(facts);
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Gives back what `take` took for the same facts. */
  free(facts: JobFacts): void {
    this.#bytes -= sizeOf(facts);
  }
}

function sizeOf({ offer }: JobFacts): number {
  return ENTRY_BYTES + bytesOfOffer(offer);
}

/** What an offer takes in memory, about: two bytes a character, and one where the text is base64. */
export function bytesOfOffer({ metadata, attributes, roomInfo, participantInfo }: OfferMessage): number {
  let characters = metadata.length;
  for (const [name, value] of Object.entries(attributes)) characters += name.length + value.length;
  return 2 * characters + roomInfo.length + participantInfo.length;
}
