/**
 * One offer that a worker was asked and has not answered. Lives in its session's `offers` until exactly one of answer,
 * deadline and end of the socket takes it out; only who took it out may tell the ledger what came of it.
 */

import type { OfferMessage } from "@muster/domain/node-message";

export interface OpenOffer {
  readonly message: OfferMessage;
  /** When it was written to the socket. */
  readonly askedAtMs: number;
  /** Ends the deadline. */
  readonly cancelDeadline: () => void;
}
