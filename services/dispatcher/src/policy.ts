/**
 * How a dispatcher places jobs and ends timers: the numbers that its scripts are given. Made once, from the
 * configuration, in the one place where defaults and their doc stand (config.ts).
 */

export interface DispatchPolicy {
  claim: {
    /** Deadline of an offer in the ledger; longer than the gateway's own. */
    offerMs: number;
    /** First back-off when every session refused. */
    retryMs: number;
    /** Sessions looked at in one claim, at most. */
    scan: number;
  };
  /** Parked jobs looked at when a pool got room, at most. */
  heads: number;
  guardMs: number;
  /** How long an orphan waits for its worker. */
  graceMs: number;
  /** After a gap of ours nothing is timed out for so long. */
  holdMs: number;
  /** How long presence may take to answer. */
  presenceLimitMs: number;
  /** How soon presence is asked again about an orphan that is kept. */
  recheckMs: number;
  /** How long an agent may take to join its room, from the start of its job. */
  startMs: number;
  /** Resume the job of a worker that never reports when its grace is over, without evidence of its death. */
  resumeUnproven: boolean;
  /** Whether presence decides on jobs whose agent nobody saw; else their workers' word stands. */
  doubtsReports: boolean;
  /** How long a success is doubted while presence cannot be asked. */
  doubtMs: number;
  stopMs: number;
  /** How long a sick worker is offered nothing at first. */
  coolMs: number;
  /** A job that fails before it ran for so long failed at once; one that runs for so long shows that its worker works. */
  earlyMs: number;
  /** How long a job of a worker that reports nothing is taken to run. */
  silentJobMs: number;
  /** How long a worker that reports is waited for after its agent left the room. */
  reportMs: number;
  retainMs: number;
}
