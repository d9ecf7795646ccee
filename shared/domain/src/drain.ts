/**
 * A drain: an operator's wish that some workers take no more jobs and finish what they have. Owns the words for whom it
 * covers; whom it holds at the moment is the ledger's (lua/includes/draining).
 */

export const DRAIN_KINDS = ["worker", "gateway", "deployment", "client_ip"] as const;
export type DrainKind = (typeof DRAIN_KINDS)[number];

/** `value`: the worker's id, the gateway's, the name of the deployment, or the address. */
export type DrainTarget =
  | { kind: Exclude<DrainKind, "deployment">; value: string }
  | { kind: "deployment"; value: string; agentName: string };

/** Of one namespace. */
export const MAX_DRAINS = 100;
export const MAX_DRAIN_REASON_BYTES = 1024;
