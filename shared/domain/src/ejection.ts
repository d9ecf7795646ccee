/**
 * Owns the words for why a worker is taken for sick and offered nothing for a while. The ledger's scripts write them
 * (lua/includes/ejecting); metrics and the API show them.
 */

/**
 * `silent`: it did not answer an offer. `rejects`: it refuses whatever it is offered. `fails_early`: its jobs fail at once.
 * `never_starts`: it accepts jobs that are never seen to run.
 */
export const EJECTION_REASONS = ["silent", "rejects", "fails_early", "never_starts"] as const;
export type EjectionReason = (typeof EJECTION_REASONS)[number];

/** `ejected`: offered nothing. `probation`: one job at a time, until one shows that it works. */
export const HEALTH_STATES = ["ok", "probation", "ejected"] as const;
export type HealthState = (typeof HEALTH_STATES)[number];
