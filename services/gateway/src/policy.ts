/**
 * How a gateway deals with its workers: the numbers and switches that its rooms are given. Made once, from the
 * configuration, in the one place where defaults and their doc stand (config.ts).
 */

import type { BlockList } from "node:net";
import type { UserDataFlags } from "./offer-request.js";
import type { Placement } from "./session-records.js";

export interface GatewayPolicy {
  /** Handed to workers with each assignment; undefined: none, and they use the url that they dialled. */
  workerLivekitUrl: string | undefined;
  region: string;
  /** Whose word on a worker's address is taken. */
  trustedProxies: BlockList;
  flags: UserDataFlags;
  placement: Placement;
  /** Namespaces of a project that may have workers; 0 = no bound. */
  maxNamespaces: number;
  /** From the open socket to the session in the ledger. */
  registerTimeoutMs: number;
  offerTimeoutMs: number;
  /** The longest that a slow worker gets. */
  offerTimeoutMaxMs: number;
  /** An answer that is older when the ledger has committed it is not acted on. */
  maxAnswerAgeMs: number;
  startMs: number;
  /** How long a sick worker is offered nothing at first. */
  coolMs: number;
  /** A job that fails before it ran for so long failed at once. */
  earlyMs: number;
  graceMs: number;
  guardMs: number;
  /** How long the place of a job that a worker is to stop stays taken when it does not confirm. */
  stopMs: number;
  retainMs: number;
  waitMs: number;
  /** What may wait for the ledger, in bytes: of all sessions together, and of one. */
  workBytes: number;
  workBytesPerWorker: number;
  /** What may be remembered of the jobs that run here, in bytes. */
  jobMemoryBytes: number;
  /** What may wait for peers that do not read, in bytes, of all together. */
  unsentBytes: number;
  /** Browsers' origins that may open an agent socket; "*" is any. */
  allowedOrigins: readonly string[];
  /** How long a session goes on after its token's end, at most, before it is offered nothing more. */
  tokenGraceMs: number;
  sampleFlushMs: number;
  leaseMs: number;
  pingIntervalMs: number;
  silenceMs: number;
  /** Over which time the sockets of a gateway that stops are closed. */
  drainMs: number;
}
