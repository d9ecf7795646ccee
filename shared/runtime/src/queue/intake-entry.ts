/**
 * Owns what an entry of the intake is: what a producer hands in and its bounds, what a handler gets, what is left of
 * one that failed. An entry says only that something came in; the ledger says what is true.
 */
import { DispatchError } from "@muster/domain/errors";
import { UnrecoverableError } from "bullmq";

/** The last priority that BullMQ can tell from its neighbour. */
export const LOWEST_PRIORITY = 2_097_151;
export const MAX_ENTRY_DATA_BYTES = 16 * 1024;

/** BullMQ keeps an entry beside its own keys, all of lower case, and refuses numbers and colons. */
const ENTRY_ID = /^[A-Z]{1,8}_[A-Za-z0-9_.-]{1,64}$/;

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [field: string]: JsonValue };

export interface NewIntakeEntry {
  /** `AD_…`; what is still in the queue under this id, even as a dead letter, is not added again. */
  id: string;
  /** 1 is served first, LOWEST_PRIORITY last; equal ones in order of arrival. */
  priority: number;
  /** A hint for the handler, at most MAX_ENTRY_DATA_BYTES as JSON. */
  data: JsonValue;
}

export interface IntakeEntry {
  id: string;
  /** As the producer gave it; from outside this process, so to be checked by who reads it. */
  data: unknown;
  /** 1 when handed out first, +1 each time it is handed out again. */
  attempt: number;
}

export interface DeadLetter {
  id: string;
  data: unknown;
  reason: string;
  /** Handlings that failed. */
  attempts: number;
  failedAtMs: number;
}

/** Thrown by a handler for an entry that no retry can help: it becomes a dead letter at once. */
export class UnrecoverableIntakeError extends UnrecoverableError {}

/** Throws DispatchError naming the field (`id`, `priority` or `data`) that is out of bounds. */
export function checkNewEntry(entry: NewIntakeEntry): void {
  if (!ENTRY_ID.test(entry.id)) {
    throw new DispatchError(
      "invalid_argument",
      "must be a prefix of capitals, _ and 1-64 of A-Z a-z 0-9 . _ -",
      "id",
    );
  }
  if (!Number.isInteger(entry.priority) || entry.priority < 1 || entry.priority > LOWEST_PRIORITY) {
    throw new DispatchError(
      "invalid_argument",
      `must be a whole number from 1 to ${LOWEST_PRIORITY}`,
      "priority",
    );
  }
  if (Buffer.byteLength(JSON.stringify(entry.data)) > MAX_ENTRY_DATA_BYTES) {
    throw new DispatchError("too_large", `must be at most ${MAX_ENTRY_DATA_BYTES} bytes as JSON`, "data");
  }
}
