/** Owns the dashboard for who looks inside: Redis, the API, actors, events, processes. */

import { dashboard } from "./frame.mjs";
import { GREEN, lines, number, ORANGE, RED } from "./panels.mjs";
import { of, perSecond, quantile, sum, times, top } from "./queries.mjs";

const SCRIPT = "muster_ledger_script_duration_seconds";
const HTTP = "muster_http_request_duration_seconds";
const YES_NO = [
  { type: "value", options: { 0: { text: "away", color: RED }, 1: { text: "connected", color: GREEN } } },
];

const now = [
  number({
    title: "Redis",
    about: "Whether every process is connected to Redis.",
    unit: "short",
    mappings: YES_NO,
    queries: [[`min(${of("muster_redis_connected")})`, "connected"]],
    runbook: ["MusterRedisAway"],
    bounds: [
      [0, RED],
      [1, GREEN],
    ],
  }),
  number({
    title: "Processes that answer",
    about: "Gateways, dispatchers and apis that Prometheus could scrape.",
    unit: "short",
    queries: [[sum("", of("up")), "up"]],
    runbook: ["MusterServiceAbsent", "MusterInstanceDown"],
    bounds: [
      [0, RED],
      [1, GREEN],
    ],
  }),
  number({
    title: "Dispatchers alive",
    about: "As the dispatchers see each other.",
    unit: "short",
    queries: [[`min(${of("muster_nodes_live")})`, "alive"]],
    runbook: ["MusterDispatchersDisagree"],
    bounds: [
      [0, RED],
      [1, GREEN],
    ],
  }),
  number({
    title: "Namespaces hosted",
    about: "Namespaces with work, each an actor on one dispatcher.",
    unit: "short",
    queries: [[sum("", of("muster_actors_hosted")), "hosted"]],
    runbook: ["MusterOwnershipFlaps"],
  }),
  number({
    title: "Orders not taken yet",
    about:
      "Entries of the intake queues. They stay there for milliseconds; more than a few mean that nobody takes them.",
    unit: "short",
    queries: [[sum("", of("muster_intake_queued")), "queued"]],
    runbook: ["MusterIntakeNotTaken"],
    bounds: [
      [0, GREEN],
      [10, RED],
    ],
  }),
  number({
    title: "Latest event loop, p99",
    about:
      "Of the process that is worst off, how late its event loop is. About 10 ms are its clock's own grain.",
    unit: "s",
    queries: [[`max(${of("nodejs_eventloop_lag_p99_seconds")})`, "p99"]],
    runbook: ["MusterEventLoopLags"],
    bounds: [
      [0, GREEN],
      [0.05, ORANGE],
      [0.1, RED],
    ],
  }),
];

const redis = [
  lines({
    title: "Slowest ledger scripts, p99",
    about: "Of each script, from its call to its reply, with the way to Redis. The ten slowest.",
    unit: "s",
    queries: [[top(10, quantile(0.99, SCRIPT, { by: "script" })), "{{script}}"]],
    runbook: ["MusterLedgerFails", "MusterDispatchBudgetBurnsFast"],
  }),
  lines({
    title: "Most frequent ledger scripts",
    about: "A second, the ten that are called most. Each is one step of a job, a worker or a namespace.",
    unit: "ops",
    queries: [[top(10, perSecond("script", `${SCRIPT}_count`)), "{{script}}"]],
  }),
  lines({
    title: "Ledger scripts that failed",
    about:
      "Within each point. transient: refused by a Redis that is changing its shape, and tried again. failed: came to nothing.",
    unit: "short",
    queries: [[times("kind", "muster_ledger_script_failures_total"), "{{kind}}"]],
    meanings: ["failed"],
    runbook: ["MusterLedgerFails"],
  }),
  lines({
    title: "Redis commands, by name",
    about: "A second, the ten most frequent. A script is one, evalsha or fcall.",
    unit: "ops",
    queries: [[top(10, perSecond("command", "muster_redis_commands_total")), "{{command}}"]],
  }),
  lines({
    title: "Redis commands, by process",
    about:
      "A second, all of them. A sum that grows faster than the jobs means retries, or somebody who lists all the time.",
    unit: "ops",
    isStacked: true,
    queries: [[perSecond("instance", "muster_redis_commands_total"), "{{instance}}"]],
  }),
  lines({
    title: "Connections to Redis made anew",
    about:
      "Within each point, by process: those that were lost and are back. Each is a moment without Redis.",
    unit: "short",
    queries: [[times("instance", "muster_redis_reconnects_total"), "{{instance}}"]],
    runbook: ["MusterRedisReconnects", "MusterRedisAway"],
  }),
];

const http = [
  lines({
    title: "Requests, by route",
    about: "A second, the ten most frequent routes as the API describes them.",
    unit: "reqps",
    queries: [[top(10, perSecond("route", "muster_http_requests_total")), "{{route}}"]],
  }),
  lines({
    title: "Requests that were not answered well",
    about: "Within each point, by status. 4xx: a mistake of who asked. 5xx: ours, or Redis's or LiveKit's.",
    unit: "short",
    queries: [[times("status", "muster_http_requests_total", 'status=~"[45].."'), "{{status}}"]],
    runbook: ["MusterApiFails"],
  }),
  lines({
    title: "Time until a request is answered, p99",
    about: "By route, the ten slowest. Of a live stream, until it began.",
    unit: "s",
    queries: [[top(10, quantile(0.99, HTTP, { by: "route" })), "{{route}}"]],
    runbook: ["MusterApiFails"],
  }),
  lines({
    title: "Requests under way",
    about: "By process. A live stream counts until it has begun.",
    unit: "short",
    queries: [[sum("instance", of("muster_http_requests_under_way")), "{{instance}}"]],
    runbook: ["MusterApiFails"],
  }),
  lines({
    title: "LiveKit's webhooks taken in",
    about: "A second, the ten most frequent events.",
    unit: "reqps",
    queries: [[top(10, perSecond("event", "muster_webhooks_received_total")), "{{event}}"]],
    runbook: ["MusterLivekitWebhooksMissing"],
  }),
  lines({
    title: "LiveKit's webhooks refused",
    about: "Within each point, by why. LiveKit sends those again that were not kept.",
    unit: "short",
    queries: [[times("reason", "muster_webhooks_refused_total"), "{{reason}}"]],
    runbook: ["MusterLivekitWebhooksRefused"],
  }),
];

const actors = [
  lines({
    title: "Namespaces hosted, by dispatcher",
    about: "Each namespace with work has one actor. They are shared out evenly, by their names.",
    unit: "short",
    isStacked: true,
    queries: [[sum("instance", of("muster_actors_hosted")), "{{instance}}"]],
    runbook: ["MusterOwnershipFlaps"],
  }),
  lines({
    title: "Messages that wait for actors",
    about: "By dispatcher. A number that stays up means turns that take long.",
    unit: "short",
    queries: [[sum("instance", of("muster_actor_mailbox_messages")), "{{instance}}"]],
    runbook: ["MusterActorsFail"],
  }),
  lines({
    title: "What actors do",
    about:
      "A second. turn: a message worked off. coalesced: joined with one that waited. refused: the mailbox was full. failed: a turn went wrong.",
    unit: "ops",
    queries: [
      [
        perSecond("event", "muster_actor_events_total", 'event=~"turn|coalesced|refused|failed"'),
        "{{event}}",
      ],
    ],
    meanings: ["failed"],
    runbook: ["MusterActorsFail"],
  }),
  lines({
    title: "Namespaces that move",
    about:
      "Within each point. activated: an actor began. rested: it had nothing to do. handed_over: it went to another dispatcher.",
    unit: "short",
    queries: [
      [times("event", "muster_actor_events_total", 'event=~"activated|rested|handed_over"'), "{{event}}"],
    ],
    runbook: ["MusterOwnershipFlaps"],
  }),
  lines({
    title: "Dispatchers alive, as each sees it",
    about: "All of them should see the same.",
    unit: "short",
    queries: [[sum("instance", of("muster_nodes_live")), "{{instance}}"]],
    runbook: ["MusterDispatchersDisagree"],
  }),
  lines({
    title: "Orders not taken yet, by dispatcher",
    about: "Entries of the intake queues that nobody had taken at the last look, by dispatcher.",
    unit: "short",
    isStacked: true,
    queries: [[sum("instance", of("muster_intake_queued")), "{{instance}}"]],
    runbook: ["MusterIntakeNotTaken"],
  }),
];

const outside = [
  lines({
    title: "Job events posted to receivers",
    about:
      "Within each point. delivered: taken. failed: a try that was not, and is made again. dead: given up after the last one.",
    unit: "short",
    isStacked: true,
    queries: [[times("outcome", "muster_webhook_deliveries_total"), "{{outcome}}"]],
    meanings: ["delivered", "failed", "dead"],
    runbook: ["MusterWebhooksDead"],
  }),
  lines({
    title: "Live streams of job events",
    about:
      "listeners: open now. Within each point: dropped, since nobody read them fast enough; missed: events were gone before a receiver's queue had them.",
    unit: "short",
    queries: [
      [sum("", of("muster_event_listeners")), "listeners"],
      [times("", "muster_event_listeners_dropped_total"), "dropped"],
      [times("", "muster_events_missed_total"), "missed"],
    ],
    runbook: ["MusterEventsMissed"],
  }),
  lines({
    title: "Calls to LiveKit",
    about:
      "A second, by method and by what came of them; and new orders, by where the description of their room came from. `nobody`: " +
      "the agent is told no more than the room's name.",
    unit: "reqps",
    queries: [
      [perSecond("method, outcome", "muster_livekit_calls_total"), "{{method}}: {{outcome}}"],
      [perSecond("from", "muster_order_rooms_total"), "rooms of new orders: {{from}}"],
    ],
    runbook: ["MusterLivekitSilent"],
  }),
  lines({
    title: "Room configurations that are missing",
    about:
      "Within each point: a room that started was to have a room configuration that there is none of, by what named it.",
    unit: "short",
    width: 12,
    queries: [[times("named_by", "muster_room_configurations_missing_total"), "{{named_by}}"]],
  }),
  lines({
    title: "Records whose time of keeping was over",
    about: "Within each point: ended jobs and orders that were removed.",
    unit: "short",
    width: 12,
    queries: [[times("kind", "muster_retention_expirations_total"), "{{kind}}"]],
  }),
];

const processes = [
  lines({
    title: "Event loop, p99",
    about:
      "How late each process's event loop is. About 10 ms are its clock's own grain. The dashed line: somebody is told.",
    unit: "s",
    queries: [[`max by (instance) (${of("nodejs_eventloop_lag_p99_seconds")})`, "{{instance}}"]],
    runbook: ["MusterEventLoopLags"],
    bounds: [
      [0, GREEN],
      [0.1, RED],
    ],
  }),
  lines({
    title: "CPU",
    about:
      "Cores that each process keeps busy. Its JavaScript has one; what is above is garbage collection and I/O.",
    unit: "short",
    queries: [[perSecond("instance", "process_cpu_seconds_total"), "{{instance}}"]],
    runbook: ["MusterEventLoopLags"],
  }),
  lines({
    title: "Memory",
    about: "Resident memory of each process.",
    unit: "bytes",
    queries: [[sum("instance", of("process_resident_memory_bytes")), "{{instance}}"]],
  }),
  lines({
    title: "JavaScript heap in use",
    about: "Of each process. A floor that rises for hours is a leak.",
    unit: "bytes",
    queries: [[sum("instance", of("nodejs_heap_size_used_bytes")), "{{instance}}"]],
  }),
  lines({
    title: "Garbage collection",
    about: "Which part of the time each process spends on it.",
    unit: "percentunit",
    queries: [[perSecond("instance", "nodejs_gc_duration_seconds_sum"), "{{instance}}"]],
    runbook: ["MusterEventLoopLags"],
  }),
  lines({
    title: "Open file descriptors",
    about: "Of each process: a gateway has one for each worker.",
    unit: "short",
    queries: [[sum("instance", of("process_open_fds")), "{{instance}}"]],
  }),
];

export const internals = dashboard({
  uid: "muster-internals",
  title: "Muster / Internals",
  about: "For who looks inside: Redis and the ledger, the API, actors, events, LiveKit, processes.",
  choices: ["namespace", "job", "instance"],
  rows: [
    ["Now", now],
    ["Redis and the ledger", redis],
    ["HTTP", http],
    ["Actors", actors],
    ["To and from the outside", outside],
    ["Processes", processes],
  ],
});
