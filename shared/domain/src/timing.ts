/**
 * Default durations of the dispatch path, in ms; each can be configured. They hang together: an offer must end at the
 * gateway (which may blame the worker) before it ends in the ledger (which blames nobody), and a guard must not fire
 * while the step that it guards is under way.
 */

/** How long a worker has to answer an offer, until it is known to need longer. */
export const OFFER_TIMEOUT_MS = 3_000;
/** The longest that a slow worker gets. */
export const OFFER_TIMEOUT_MAX_MS = 10_000;
/** The same offer's deadline in the ledger, for a gateway that died with it. */
export const OFFER_DEADLINE_MS = OFFER_TIMEOUT_MS + 2_000;
/** From the assignment until the job must have been seen to run. */
export const START_DEADLINE_MS = 30_000;
/** How long a success of a job whose agent nobody saw is doubted while LiveKit cannot be asked. */
export const DOUBT_BOUND_MS = 300_000;
/** So many start deadlines an agent is given to join its room at most, once its pool is known to be slow. */
export const LONGEST_JOIN = 4;
/** How long a job of a worker that reports nothing is taken to run, when nobody else tells either. */
export const SILENT_JOB_BOUND_MS = 6 * 3_600_000;
/** How long an orphan waits for its worker: both SDKs re-dial at about 2, 6, 12, 20 and 30 s. */
export const GRACE_MS = 35_000;
/** How long an agent that left its room may take to come back, under another sid. */
export const REJOIN_MS = 5_000;
/** An agent that was in its room for no longer than that, and left a caller behind, hardly did its job. */
export const SHORT_JOB_MS = 3_000;
/** How long a worker that reports is waited for after its agent left: shutdown hooks of the SDKs may take 300 s. */
export const REPORT_BOUND_MS = 330_000;
/** How soon it is asked again whether an orphan's agent still is in its room. */
export const PRESENCE_RECHECK_MS = 30_000;
/** After a gap of ours or of Redis: how long gateways have to assert what they hold before anything is timed out. */
export const HOLD_MS = 5_000;
/** How long a job may wait for a worker. */
export const WAIT_BOUND_MS = 3_600_000;
/** How long a worker that was told to stop keeps its place when it does not confirm. */
export const STOP_BOUND_MS = 20_000;
/** How soon after a stop its agent is put out of the room, when it is still there; and how soon it is looked again. */
export const REMOVE_AGENT_MS = 3_000;
export const REMOVE_AGENT_AGAIN_MS = 2_000;
/** First back-off after every session refused. */
export const RETRY_MS = 500;
/** How long a sick worker is offered nothing at first; doubled each time. */
export const COOL_DOWN_MS = 5_000;
/** A job that fails before it ran for so long failed at once; one that runs for so long shows that its worker works. */
export const EARLY_FAILURE_MS = 10_000;
/** How long ended jobs and orders are kept, and with them the memory of what was asked for. */
export const RETENTION_MS = 24 * 3_600_000;
/** A gateway's lease in a namespace, and a node's lease. Renewed at least three times as often. */
export const LEASE_MS = 3_000;
/**
 * A queued job that nobody tried by then is tried by whoever reads the timers. As long as a lease: while the host of its
 * namespace lives, the queue brings it in milliseconds; when it died with the entry in its hands, its heir looks at once.
 */
export const GUARD_MS = 3_000;
/** How long an agent is known where no worker of it stayed or took a job; a pool likewise (includes/remembering of the ledger). */
export const BRIEF_MEMORY_MS = 600_000;
