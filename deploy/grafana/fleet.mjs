/** Owns the dashboard of the workers: who is there, what they take, what becomes of their jobs when they are lost. */

import { dashboard } from "./frame.mjs";
import { GREEN, heat, lines, number, ORANGE, RED } from "./panels.mjs";
import { of, perSecond, quantile, sum, times, top, WHOLE } from "./queries.mjs";

const agent = 'agent=~"$agent"';
const STAGES = "muster_dispatch_stage_duration_seconds";

const now = [
  number({
    title: "Workers connected",
    about: "Open worker sockets on all gateways.",
    unit: "short",
    queries: [[sum("", of("muster_websocket_connections")), "connected"]],
    runbook: ["MusterNoSockets"],
    bounds: [
      [0, RED],
      [1, GREEN],
    ],
  }),
  number({
    title: "Free places",
    about: "Jobs that could be given to workers at once.",
    unit: "short",
    queries: [[sum("", of("muster_agent_slots", `${agent}, state="free"`)), "free"]],
    runbook: ["MusterJobsWaitTooLong"],
    bounds: [
      [0, ORANGE],
      [1, GREEN],
    ],
  }),
  number({
    title: "Workers needed",
    about: "As many workers as the jobs that run and wait need, without headroom.",
    unit: "short",
    queries: [[sum("", of("muster_agent_workers_needed", agent)), "needed"]],
    runbook: ["MusterJobsWaitTooLong"],
  }),
  number({
    title: "Jobs held by workers",
    about: "Jobs that workers run now, as far as their gateways know.",
    unit: "short",
    queries: [[sum("", of("muster_jobs_held")), "held"]],
  }),
  number({
    title: "Ejections in the last hour",
    about: "Times that a worker was taken for sick and offered nothing for a while.",
    unit: "short",
    decimals: 0,
    queries: [[sum("", `increase(${of("muster_worker_ejections_total")}[1h])`), "ejections"]],
    runbook: ["MusterWorkersEjected", "MusterLastWorkerEjected"],
    bounds: [
      [0, GREEN],
      [1, ORANGE],
      [10, RED],
    ],
  }),
  number({
    title: "Age of the figures of agents",
    about:
      "The figures by agent are measured every 5 s while Prometheus asks. Old ones mean that a dispatcher is slow.",
    unit: "s",
    queries: [[`max(${of("muster_agent_figures_age_seconds")})`, "age"]],
    runbook: ["MusterAgentFiguresStale"],
    bounds: [
      [0, GREEN],
      [30, ORANGE],
      [120, RED],
    ],
  }),
];

const workers = [
  lines({
    title: "Workers by state",
    about:
      "available: has room. full: has none. cooling: sick, and left alone for a while. draining: takes no more by its own wish. drained: by an operator's.",
    unit: "short",
    isStacked: true,
    queries: [[sum("state", of("muster_agent_workers", agent)), "{{state}}"]],
    meanings: ["available", "full", "cooling", "draining", "drained"],
    runbook: ["MusterNoWorkers", "MusterWorkersEjected"],
  }),
  lines({
    title: "Places for jobs",
    about: "used: taken. free: could be given at once. draining: taken on workers that take no more.",
    unit: "short",
    isStacked: true,
    queries: [[sum("state", of("muster_agent_slots", agent)), "{{state}}"]],
    meanings: ["used", "free", "draining"],
    runbook: ["MusterJobsWaitTooLong"],
  }),
  lines({
    title: "Workers that are there, and that are needed",
    about:
      "By agent. Where more are needed than are there, jobs wait; whoever scales by these figures starts more.",
    unit: "short",
    queries: [
      [`muster:agent_workers_in_service:sum{${WHOLE}, ${agent}}`, "{{agent}}: there"],
      [sum("agent", of("muster_agent_workers_needed", agent)), "{{agent}}: needed"],
    ],
    runbook: ["MusterNoWorkers", "MusterJobsWaitTooLong"],
  }),
  heat({
    title: "Loads that workers report",
    about:
      "The darker, the more reports of so much load, from 0 to 1, came in. All at the top: workers are at their end.",
    unit: "percentunit",
    queries: [[times("le", "muster_worker_load_ratio_bucket"), "{{le}}"]],
    runbook: ["MusterJobsWaitTooLong"],
  }),
  lines({
    title: "Sessions by gateway, and what they say",
    about: "Registered workers by gateway. full: the worker says itself that it takes no more.",
    unit: "short",
    isStacked: true,
    queries: [[sum("instance, status", of("muster_sessions")), "{{instance}}: {{status}}"]],
    runbook: ["MusterNoSockets"],
  }),
  lines({
    title: "Jobs held, by gateway",
    about:
      "Jobs that the workers of each gateway run. A gateway that dies leaves so many to be taken up again.",
    unit: "short",
    isStacked: true,
    queries: [[sum("instance", of("muster_jobs_held")), "{{instance}}"]],
    runbook: ["MusterManyWorkersVanished"],
  }),
];

const offers = [
  lines({
    title: "Offers, by how they end",
    about:
      "A second. accepted, rejected: the worker said so. timeout: it said nothing in time. lost: it could not be asked, or its answer came when the offer was over.",
    unit: "ops",
    isStacked: true,
    queries: [[perSecond("outcome", "muster_offers_total"), "{{outcome}}"]],
    meanings: ["accepted", "rejected", "timeout", "lost"],
    runbook: ["MusterOffersTimeOut"],
  }),
  lines({
    title: "Part of the offers that has no answer",
    about:
      "Over 10 minutes. Each costs its caller the whole time that a worker has to answer. The dashed line: somebody is told.",
    unit: "percentunit",
    queries: [[`muster:offers_timed_out:ratio_rate10m{${WHOLE}}`, "without answer"]],
    runbook: ["MusterOffersTimeOut"],
    bounds: [
      [0, GREEN],
      [0.05, RED],
    ],
  }),
  lines({
    title: "How fast workers answer and begin",
    about:
      "offer: until the worker's yes. first_status: from the assignment to its first word of the job, of workers that report.",
    unit: "s",
    queries: [0.5, 0.99].flatMap((q) =>
      ["offer", "first_status"].map((stage) => [
        quantile(q, STAGES, { matchers: `stage="${stage}"` }),
        `${stage}, p${100 * q}`,
      ]),
    ),
    runbook: ["MusterOffersTimeOut"],
  }),
  lines({
    title: "Ejections, by why",
    about:
      "Within each point. silent: no answers. rejects: refuses all. fails_early: its jobs fail at once. never_starts: accepts, and nothing runs. last of pool: nobody else was left.",
    unit: "short",
    queries: [
      [times("reason", "muster_worker_ejections_total"), "{{reason}}"],
      [times("", "muster_worker_ejections_last_of_pool_total"), "last of pool"],
      [times("reason", "muster_jobs_suspected_total"), "suspect jobs: {{reason}}"],
    ],
    runbook: ["MusterWorkersEjected", "MusterLastWorkerEjected"],
  }),
  lines({
    title: "Changes by operators, and roll-backs",
    about:
      "Within each point: drains begun and undone, and deployments that were rolled back by themselves. short: jobs that ended well, by agent and deployment, although the agent left its room at once and a caller stayed.",
    unit: "short",
    queries: [
      [times("change", "muster_drain_changes_total"), "drains {{change}}"],
      [times("", "muster_deployment_rollbacks_total"), "rolled back"],
      [times("agent, deployment", "muster_jobs_short_total"), "short: {{agent}} {{deployment}}"],
    ],
    runbook: ["MusterDeploymentRolledBack", "MusterJobsShort"],
  }),
  lines({
    title: "Loads that make no sense",
    about: "Within each point: reports that were no load from 0 to 1. A worker's load function is wrong.",
    unit: "short",
    queries: [[times("kind", "muster_load_samples_refused_total"), "{{kind}}"]],
  }),
];

const losses = [
  lines({
    title: "Jobs sent back to be given anew",
    about:
      "Within each point. undelivered: the worker could not be asked. never_started: accepted and not begun. never_joined: said to have gone well, and its agent never came. gateway_lost, worker_lost: they are gone. agent_left: it left its room without meaning to.",
    unit: "short",
    queries: [[times("reason", "muster_redispatches_total"), "{{reason}}"]],
    runbook: ["MusterAgentsNeverJoin", "MusterManyWorkersVanished"],
  }),
  lines({
    title: "Jobs of lost workers: what presence says, what follows",
    about:
      "Within each point. absent: the agent is not in its room. present: it is. unknown: nobody can say. Then the job is resumed elsewhere, kept for its worker, or ended.",
    unit: "short",
    queries: [[times("verdict, outcome", "muster_orphans_settled_total"), "{{verdict}}: {{outcome}}"]],
    runbook: ["MusterManyWorkersVanished"],
  }),
  lines({
    title: "Running jobs taken up again",
    about:
      "Within each point. migrated: named by a worker that came back. restored: to a Redis that had forgotten them.",
    unit: "short",
    queries: [[times("how", "muster_readoptions_total"), "{{how}}"]],
    runbook: ["MusterRedisForgot"],
  }),
  lines({
    title: "Second holders kept from running",
    about: "Within each point: times that a job would have run twice, by what stopped it.",
    unit: "short",
    queries: [[times("by", "muster_duplicates_prevented_total"), "{{by}}"]],
    runbook: ["MusterManyWorkersVanished"],
  }),
  lines({
    title: "Agents put out of their room",
    about:
      "Within each point. stopped: told to stop and did not. resumed: before its job went elsewhere. older_epoch: a former holder came back. served_elsewhere: beside an agent of a worker at livekit-server itself, of dispatches as counted by doubled.",
    unit: "short",
    queries: [
      [times("reason", "muster_agents_removed_total"), "{{reason}}"],
      [times("", "muster_dispatches_doubled_total"), "doubled"],
    ],
  }),
  lines({
    title: "Outages: guards, held time-outs, a Redis that forgot",
    about:
      "Within each point. guard: many workers vanished at once. held: a dispatcher had a gap of its own and timed nothing out for a while, by cause. forgot: Redis was emptied or rolled back.",
    unit: "short",
    queries: [
      [times("", "muster_guards_raised_total"), "guard"],
      [times("cause", "muster_holds_total"), "held: {{cause}}"],
      [`max(increase(${of("muster_generation_changes_total")}[$__rate_interval]))`, "forgot"],
    ],
    runbook: ["MusterManyWorkersVanished", "MusterTimeoutsHeld", "MusterRedisForgot"],
  }),
];

const sockets = [
  lines({
    title: "Open worker sockets, by gateway",
    about:
      "They do not move by themselves when a gateway is added: workers that connect from then on are shared evenly.",
    unit: "short",
    isStacked: true,
    queries: [[sum("instance", of("muster_websocket_connections")), "{{instance}}"]],
    runbook: ["MusterNoSockets"],
  }),
  lines({
    title: "Messages from workers",
    about: "A second, by type on the wire. update_worker are load reports: one each 2.5 s and worker.",
    unit: "ops",
    queries: [[perSecond("type", "muster_websocket_messages_total", 'direction="in"'), "{{type}}"]],
  }),
  lines({
    title: "Messages to workers",
    about: "A second, by type on the wire. availability are offers.",
    unit: "ops",
    queries: [[perSecond("type", "muster_websocket_messages_total", 'direction="out"'), "{{type}}"]],
  }),
  lines({
    title: "Beside the usual course, on gateways",
    about:
      "Within each point, the 12 most frequent things that gateways met with their sessions, offers, jobs and messages.",
    unit: "short",
    width: 24,
    queries: [[top(12, times("event", "muster_gateway_events_total")), "{{event}}"]],
    runbook: ["MusterManyWorkersVanished"],
  }),
];

export const fleet = dashboard({
  uid: "muster-fleet",
  title: "Muster / Fleet",
  about: "The workers: who is there, what they take, and what becomes of their jobs when they are lost.",
  choices: ["namespace", "job", "instance", "agent"],
  rows: [
    ["Now", now],
    ["Workers", workers],
    ["Offers", offers],
    ["Losses", losses],
    ["Sockets", sockets],
  ],
});
