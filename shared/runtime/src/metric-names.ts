/**
 * Owns the list of metrics: name, help, type, labels with the values they may take, buckets. Data only.
 * Rules: base units; counters end in `_total`; a sum over all labels means something; labels are bounded. Never a room,
 * a job, a worker, a participant or a tenant as a label: these belong into logs and the API. An agent's name is one only
 * where workers are scaled by it, and its metric sums up those beyond a number.
 */
import { EJECTION_REASONS } from "@muster/domain/ejection";
import { DISPATCH_ERROR_CODES } from "@muster/domain/errors";
import { JOB_OUTCOMES } from "@muster/domain/job";

export const METRIC_PREFIX = "muster_";

/** In place of a list of values: any value, and above MAX_OPEN_VALUES of them, or the metric's own bound, `other`. */
export const OPEN = "open";
export const MAX_OPEN_VALUES = 50;

export interface MetricSpec {
  type: "counter" | "gauge" | "histogram";
  help: string;
  /** The values of each label, or OPEN. A metric whose labels are closed starts with every combination at 0: keep them few. */
  labels: Record<string, readonly string[] | typeof OPEN>;
  /** Of a histogram: upper bounds in its unit. */
  buckets?: readonly number[];
  /** How many values an open label may have, where their number is known and above MAX_OPEN_VALUES. */
  maxOpenValues?: number;
}

const DISPATCH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Until a worker was free, or a call got through to the agent: people wait for as long. */
const WAIT_SECONDS = [...DISPATCH_SECONDS, 30, 60, 300, 1_800];
const HTTP_SECONDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const SCRIPT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1];
const LOADS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** One a session, offer, job or message, as the name says. */
const GATEWAY_EVENTS = [
  ...["session_registered", "session_registered_again", "half_open_closed", "guard_raised"],
  ...["worker_counts_more", "worker_counts_fewer", "worker_load_below_count"],
  ...["lease_lapsed", "lease_failed", "offer_held", "answer_ignored"],
  "load_report_stale",
  ...["late_answer_taken", "late_answer_too_late", "late_answer_no", "late_answer_never"],
  ...["assignment_late", "assignment_socket_gone", "start_withdrawn"],
  ...["report_refused", "report_failed", "report_retrying", "ghost_stopped"],
  ...["migration_asked", "migration_moved", "migration_stopped", "migration_refused", "migration_held"],
  ...[
    "job_orphaned",
    "job_ended_goodbye",
    "job_simulated",
    "job_restored",
    "job_not_restored",
    "held_unknown",
  ],
  ...["unroutable_offer", "unroutable_stop", "unroutable_close", "unroutable_malformed"],
  ...["overworked_session_messages", "overworked_session_bytes", "overworked_gateway_bytes"],
  ...["simulations_refused", "unread_cut", "token_expired"],
  ...["hint_dropped_no_dispatcher", "hint_dropped_no_gateway", "hint_dropped_unavailable"],
] as const;
export type GatewayEvent = (typeof GATEWAY_EVENTS)[number];

export const ACTOR_EVENTS = [
  ...["turn", "failed", "refused", "coalesced", "activated", "rested", "handed_over"],
] as const;
export type ActorEvent = (typeof ACTOR_EVENTS)[number];

/** LiveKit's names; `other` for those that it may have one day. */
export const WEBHOOK_EVENTS = [
  ...["room_started", "room_finished"],
  ...["participant_joined", "participant_left", "participant_connection_aborted"],
  ...["track_published", "track_unpublished"],
  ...["egress_started", "egress_updated", "egress_ended", "ingress_started", "ingress_ended"],
  ...["agent_job_started", "agent_job_ended", "other"],
] as const;

export const METRICS = {
  build_info: {
    type: "gauge",
    help: "1, labelled with what runs.",
    labels: { service: OPEN, version: OPEN, node: OPEN },
  },
  orders_accepted_total: {
    type: "counter",
    help: "Work orders taken in, by the door they came through; livekit: taken over from livekit-server.",
    labels: { api: ["twirp", "rest", "rule", "livekit"] },
  },
  orders_refused_total: {
    type: "counter",
    help: "Work orders refused, by the door they came to.",
    labels: { api: ["twirp", "rest", "rule", "livekit"] },
  },
  orders_merged_total: {
    type: "counter",
    help: "Work orders answered with the live one that their agent has in the room, since it is one per room.",
    labels: { api: ["twirp", "rest", "rule", "livekit"] },
  },
  orders_expired_total: {
    type: "counter",
    help: "Work orders for participants whose room did not open in the time that they may wait.",
    labels: {},
  },
  room_configurations_missing_total: {
    type: "counter",
    help: "Times that a room which started was to have a room configuration that there is none of, by what named it.",
    labels: { named_by: ["rule", "metadata"] },
  },
  jobs_claimed_total: { type: "counter", help: "Claims that reserved a worker for a job.", labels: {} },
  jobs_parked_total: { type: "counter", help: "Times that a job had to wait for a worker.", labels: {} },
  jobs_fell_back_total: {
    type: "counter",
    help: "Fallback steps taken by jobs that nobody took.",
    labels: {},
  },
  deployment_rollbacks_total: {
    type: "counter",
    help: "Deployment splits that were rolled back, as too many of the candidate's jobs went badly.",
    labels: {},
  },
  jobs_assigned_total: { type: "counter", help: "Assignments sent to workers.", labels: {} },
  jobs_ended_total: {
    type: "counter",
    help: "Jobs that ended, by outcome; apart: never_joined, whose agent never came and whose room nobody is in any more, and terminated_by_worker, whose worker refused it for good.",
    labels: { outcome: [...JOB_OUTCOMES, "never_joined", "terminated_by_worker"] },
  },
  jobs_short_total: {
    type: "counter",
    help: "Jobs that ended well although their agent left the room within MUSTER_SHORT_JOB_MS of joining it, and a caller stayed.",
    labels: { agent: OPEN, deployment: OPEN },
    maxOpenValues: 20,
  },
  offers_total: {
    type: "counter",
    help: "Offers made to workers, by how they ended.",
    labels: { outcome: ["accepted", "rejected", "timeout", "lost"] },
  },
  worker_ejections_total: {
    type: "counter",
    help: "Times that a worker was taken for sick and offered nothing for a while, by what it did.",
    labels: { reason: EJECTION_REASONS },
  },
  worker_ejections_last_of_pool_total: {
    type: "counter",
    help: "Times that the last worker of an agent which could take work was taken for sick: it is asked on, as nobody else is there.",
    labels: {},
  },
  jobs_suspected_total: {
    type: "counter",
    help: "Jobs that several workers could not do, by what the last of them made of it: such a job is at fault itself, and tried last.",
    labels: { reason: EJECTION_REASONS },
  },
  dispatch_duration_seconds: {
    type: "histogram",
    help: "From the moment a job was made to its first assignment: direct when the first worker that was asked took it at once, waited when it had to wait for one or was refused first.",
    labels: { path: ["direct", "waited"] },
    buckets: WAIT_SECONDS,
  },
  dispatch_stage_duration_seconds: {
    type: "histogram",
    help: "Time that a job spent in each stage of its dispatch: queue, made until its first offer was decided when it did not wait; wait, without a free worker until one was found; match, the claim; offer, until the worker's yes; assign, from the yes to the assignment; first_status, from the assignment to the first report of a worker that reports.",
    labels: { stage: ["queue", "wait", "match", "offer", "assign", "first_status"] },
    buckets: WAIT_SECONDS,
  },
  websocket_connections: { type: "gauge", help: "Open worker sockets.", labels: {} },
  websocket_messages_total: {
    type: "counter",
    help: "Messages on worker sockets, by their type on the wire and their direction.",
    labels: {
      type: [
        ...["register", "availability", "update_worker", "update_job", "ping", "simulate_job", "migrate_job"],
        ...["assignment", "termination", "pong"],
      ],
      direction: ["in", "out"],
    },
  },
  refusals_total: {
    type: "counter",
    help: "Requests and messages refused at the door, by reason.",
    labels: { reason: DISPATCH_ERROR_CODES },
  },
  webhooks_received_total: {
    type: "counter",
    help: "LiveKit webhooks taken in, by event.",
    labels: { event: WEBHOOK_EVENTS },
  },
  webhooks_refused_total: {
    type: "counter",
    help: "Webhooks refused, or not kept and to be sent again, by reason.",
    labels: { reason: DISPATCH_ERROR_CODES },
  },
  webhook_deliveries_total: {
    type: "counter",
    help: "Job events posted to receivers: taken, a try that failed, or given up after the last one.",
    labels: { outcome: ["delivered", "failed", "dead"] },
  },
  events_missed_total: {
    type: "counter",
    help: "Times that events were gone before a receiver's queue had taken them in.",
    labels: {},
  },
  event_listeners: { type: "gauge", help: "Open live streams of job events.", labels: {} },
  event_listeners_dropped_total: {
    type: "counter",
    help: "Live streams that were ended since nobody read them fast enough, or since another one took the place.",
    labels: { reason: ["too_slow", "displaced"] },
  },
  load_samples_refused_total: {
    type: "counter",
    help: "Load samples of workers that were no load from 0 to 1, by what was wrong with them.",
    labels: { kind: ["not_finite", "negative", "above_one"] },
  },
  gateway_events_total: {
    type: "counter",
    help: "What a gateway met with its sessions, offers, jobs and messages beside the usual course, by event.",
    labels: { event: GATEWAY_EVENTS },
  },
  drain_changes_total: {
    type: "counter",
    help: "Drains that were asked for through the API, or undone.",
    labels: { change: ["begun", "undone"] },
  },
  agent_slots: {
    type: "gauge",
    help: "Places for jobs by agent, in the namespaces hosted here: taken, taken on workers that drain, and free.",
    labels: { agent: OPEN, state: ["used", "draining", "free"] },
  },
  agent_jobs_waiting: {
    type: "gauge",
    help: "Jobs by agent that wait for a worker and are not on hold, in the namespaces hosted here.",
    labels: { agent: OPEN },
  },
  agent_jobs_suspect: {
    type: "gauge",
    help: "Jobs by agent that wait beside those, since several of the workers that are there could not do them.",
    labels: { agent: OPEN },
  },
  agent_oldest_wait_seconds: {
    type: "gauge",
    help: "How long the job has waited that waits longest of an agent's, in the namespaces hosted here; 0 when none waits.",
    labels: { agent: OPEN },
  },
  agent_figures_age_seconds: {
    type: "gauge",
    help: "How old the figures of agents are: they are taken beside the scrapes, not by them.",
    labels: {},
  },
  agent_workers: {
    type: "gauge",
    help: "Connected workers by agent, in the namespaces hosted here.",
    labels: { agent: OPEN, state: ["available", "full", "cooling", "draining", "drained"] },
  },
  agent_workers_needed: {
    type: "gauge",
    help: "Workers that the jobs of an agent need, without headroom, as GET /v1/scaling reckons.",
    labels: { agent: OPEN },
  },
  retention_expirations_total: {
    type: "counter",
    help: "Records removed because their retention was over, by what they were.",
    labels: { kind: ["job", "order"] },
  },
  livekit_calls_total: {
    type: "counter",
    help: "Calls to livekit-server's API that are over, by method and by what came of them.",
    labels: { method: OPEN, outcome: OPEN },
  },
  order_rooms_total: {
    type: "counter",
    help: "New orders where rooms are known of, by where the description of their room came from: LiveKit, a room that LiveKit then made for it, the room book while LiveKit does not answer, nobody.",
    labels: { from: ["livekit", "made", "book", "nobody"] },
  },
  livekit_questions_paused: {
    type: "gauge",
    help: "1 while new orders do not ask LiveKit for their rooms, since it did not answer in time; 0 while they do.",
    labels: {},
  },
  agents_removed_total: {
    type: "counter",
    help: "Agents put out of their room through RoomService: told to stop, lost before their job was given to another, former holders that came back, or beside an agent of livekit-server's own workers.",
    labels: { reason: ["stopped", "resumed", "older_epoch", "served_elsewhere"] },
  },
  dispatches_doubled_total: {
    type: "counter",
    help: "Adopted dispatches that a worker at livekit-server itself serves as well; the job here ended for it.",
    labels: {},
  },
  redis_commands_total: {
    type: "counter",
    help: "Commands issued to Redis, by name; a script is one.",
    labels: { command: OPEN },
  },
  redis_connected: {
    type: "gauge",
    help: "1 while this process is connected to Redis, 0 while it is not.",
    labels: {},
  },
  redis_reconnects_total: {
    type: "counter",
    help: "Times that a connection to Redis was lost and is back; an outage is once for each connection, however long it lasts.",
    labels: {},
  },
  ledger_script_duration_seconds: {
    type: "histogram",
    help: "Time from the call of a ledger script to its reply, with the way to Redis and back and repeats after transient refusals.",
    labels: { script: OPEN },
    buckets: SCRIPT_SECONDS,
    maxOpenValues: 120,
  },
  ledger_script_failures_total: {
    type: "counter",
    help: "Calls of ledger scripts that came to nothing, and refusals that were tried again: transient.",
    labels: { kind: ["transient", "failed"] },
  },
  http_requests_total: {
    type: "counter",
    help: "Requests answered, by the route as the API describes it, method and status.",
    labels: { route: OPEN, method: OPEN, status: OPEN },
    maxOpenValues: 120,
  },
  http_request_duration_seconds: {
    type: "histogram",
    help: "Time until a request was answered, by route. Of a live stream, until it began.",
    labels: { route: OPEN },
    buckets: HTTP_SECONDS,
    maxOpenValues: 120,
  },
  http_requests_under_way: { type: "gauge", help: "Requests that are not answered yet.", labels: {} },
  worker_load_ratio: {
    type: "histogram",
    help: "Loads that workers reported, 0 to 1, as they came.",
    labels: {},
    buckets: LOADS,
  },
  sessions: {
    type: "gauge",
    help: "Registered workers of this gateway, by what they said of themselves last.",
    labels: { status: ["available", "full"] },
  },
  jobs_held: {
    type: "gauge",
    help: "Jobs that the workers of this gateway hold as far as it knows.",
    labels: {},
  },
  readoptions_total: {
    type: "counter",
    help: "Running jobs that were taken up again after a loss: named by a worker that came back, or restored to a Redis that had forgotten them.",
    labels: { how: ["migrated", "restored"] },
  },
  duplicates_prevented_total: {
    type: "counter",
    help: "Second holders of a job that were kept from running it, by what stopped them.",
    labels: {
      by: ["stale_answer", "ghost_stopped", "migration_stopped", "half_open_closed", "agent_removed"],
    },
  },
  actors_hosted: { type: "gauge", help: "Namespaces that have an actor here.", labels: {} },
  actor_mailbox_messages: { type: "gauge", help: "Messages that wait for actors here.", labels: {} },
  actor_events_total: {
    type: "counter",
    help: "What happened to actors here: turns taken, turns that failed, messages refused by a full mailbox or joined with one that waited, actors begun, put to rest, or given to another node.",
    labels: { event: ACTOR_EVENTS },
  },
  nodes_live: {
    type: "gauge",
    help: "Dispatchers that this one knows to be alive, itself among them.",
    labels: {},
  },
  intake_queued: {
    type: "gauge",
    help: "Entries of the intake queues of the namespaces hosted here that nobody had taken at the last look.",
    labels: {},
  },
  redispatches_total: {
    type: "counter",
    help: "Times that a job was sent back to be given to a worker anew, by reason.",
    labels: {
      reason: ["undelivered", "never_started", "never_joined", "gateway_lost", "worker_lost", "agent_left"],
    },
  },
  orphans_settled_total: {
    type: "counter",
    help: "Looks at jobs whose worker was lost, by what presence said of the agent and what followed.",
    labels: { verdict: ["absent", "present", "unknown"], outcome: ["resumed", "kept", "ended"] },
  },
  guards_raised_total: {
    type: "counter",
    help: "Times that so many workers vanished at once that no job is resumed without evidence until they are back.",
    labels: {},
  },
  holds_total: {
    type: "counter",
    help: "Times that a dispatcher held back its time-outs until gateways had asserted what they hold, by cause.",
    labels: { cause: ["start", "lease", "generation", "reconnect", "silence"] },
  },
  generation_changes_total: {
    type: "counter",
    help: "Times that Redis was found to have forgotten what it held.",
    labels: {},
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof METRICS;
