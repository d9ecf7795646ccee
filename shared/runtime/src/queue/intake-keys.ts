/**
 * Owns where the intake of a namespace lives in Redis: `muster:{<namespace>}:queue:…`, laid out by BullMQ. The braces
 * are the hash tag that puts all keys of a namespace on one Cluster slot, beside its ledger.
 */
import { QueueKeys } from "bullmq";

export const QUEUE_NAME = "queue";

/** What BullMQ calls the prefix: all that comes before the queue's name. */
export function intakePrefix(namespace: string): string {
  return `muster:{${namespace}}`;
}

export interface IntakeKeys {
  keys: Record<string, string>;
  toKey(type: string): string;
}

export function intakeKeys(namespace: string): IntakeKeys {
  const layout = new QueueKeys(intakePrefix(namespace));
  return { keys: layout.getKeys(QUEUE_NAME), toKey: (type) => layout.toKey(QUEUE_NAME, type) };
}
