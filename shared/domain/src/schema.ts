/**
 * Which version of what processes share through Redis this build is of: the ledger's keys and fields, messages between
 * nodes, entries of queues, events, and JSON that is kept. Owns the two numbers, and the rule by which two builds may run
 * on one Redis. Goes up by one at most from release to release; CONTRIBUTING.md ("change what is kept") says when.
 */

export interface Schema {
  /** Of what this build writes. */
  readonly writes: number;
  /** The oldest schema whose builds it can live with: it reads what they write, and writes what they can read. */
  readonly livesWith: number;
}

/** Of builds from before there was a schema: they claim none. */
export const UNCLAIMED: Schema = { writes: 1, livesWith: 1 };

/** What each schema brought is in docs/UPGRADING.md, and must be. */
export const SCHEMA: Schema = { writes: 2, livesWith: 1 };
