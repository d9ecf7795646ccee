/**
 * Owns how many lines a worker can make a gateway write. Lines of its jobs are many and each is wanted; lines of its socket repeat
 * when it flaps. Named after its session, and after who stands behind the session: a worker that dials again is a new one.
 */

import type { FoldLimits } from "@muster/runtime/folding-log";

/** Lines a minute of one message: of one session, of all sessions of one peer, and of the jobs of those. */
const MOST_OF_SESSION = 100;
const MOST_OF_PEER = 120;
const MOST_OF_PEERS_JOBS = 2_000;

/** `peer`: who dials; without it, whoever is in the same namespace. */
export function limitsOf(peer?: string): FoldLimits {
  return ({ session = "", namespace = "", job }) => [
    { name: `session ${session}`, most: session === "" ? MOST_OF_PEERS_JOBS : MOST_OF_SESSION },
    {
      name: `peer ${peer ?? namespace}`,
      most: job === undefined ? MOST_OF_PEER : MOST_OF_PEERS_JOBS,
    },
  ];
}
