/**
 * Owns the names of the Redis keys that this package keeps. Each group has a hash tag of its own, so that every script
 * here works on one slot of a Redis Cluster. No other key is written from this folder.
 */

export const NODE_ROLES = ["gateway", "dispatcher"] as const;
export type NodeRole = (typeof NODE_ROLES)[number];

/** Sorted set of the leases of one role: node id by expiry, in ms of Redis time. */
export const leasesKey = (role: NodeRole): string => `muster:{nodes}:${role}`;

/** Hash: what the process of each node is, as JSON, by node id. */
export const BUILDS_KEY = "muster:{nodes}:builds";

/** Sorted set: node id by the end of its process's claim, in ms of Redis time. */
export const CLAIMS_KEY = "muster:{nodes}:claims";

/** Hash: the oldest schema that may still run on this Redis, and the newest that ever did. */
export const SCHEMA_KEY = "muster:{nodes}:schema";

/** A random value that says whether this Redis still is the one we knew. */
export const GENERATION_KEY = "muster:{nodes}:generation";

/** Stream of the messages for one node. */
export const inboxKey = (nodeId: string): string => `muster:inbox:{${nodeId}}`;

/** Sorted set of one bucket of the due index: name by the time it is next due, in ms of Redis time. */
export const dueKey = (bucket: number): string => `muster:{index:${bucket}}:due`;
