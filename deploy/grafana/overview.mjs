/** Owns the dashboard that is looked at first: are callers served, and if not, what is wrong. */

import { dashboard } from "./frame.mjs";
import { GREEN, heat, lines, number, ORANGE, RED, timeline } from "./panels.mjs";
import { perSecond, quantile, times, WHOLE } from "./queries.mjs";

const DURATION = "muster_dispatch_duration_seconds";
const direct = { matchers: 'path="direct"' };
const waited = { matchers: 'path="waited"' };
const agent = 'agent=~"$agent"';
const late = (window) =>
  `max(muster:dispatch_slo_late:ratio_rate${window}{${WHOLE}}) / (1 - scalar(muster:dispatch_slo_objective:ratio))`;
const firing = `ALERTS{alertname=~"Muster.+", alertstate="firing", ${WHOLE}}`;

const well = [
  number({
    title: "Error budget left",
    about:
      "99 % of direct dispatches are promised to be assigned within 250 ms, over 30 days; 1 % may be late. This is what is left of that 1 %. Below 0 the promise is broken.",
    unit: "percentunit",
    decimals: 1,
    queries: [[`min(muster:dispatch_slo_budget_left:ratio{${WHOLE}})`, "left"]],
    runbook: ["MusterDispatchBudgetBurnsFast", "MusterDispatchBudgetBurnsSlowly"],
    bounds: [
      [-1, RED],
      [0, ORANGE],
      [0.25, GREEN],
    ],
  }),
  number({
    title: "On time in the last hour",
    about: "Which part of the direct dispatches of the last hour was assigned within 250 ms.",
    unit: "percentunit",
    decimals: 2,
    queries: [[`1 - max(muster:dispatch_slo_late:ratio_rate1h{${WHOLE}})`, "on time"]],
    runbook: ["MusterDispatchBudgetBurnsFast"],
    bounds: [
      [0, RED],
      [0.95, ORANGE],
      [0.99, GREEN],
    ],
  }),
  number({
    title: "Direct dispatch, p99",
    about:
      "99 of 100 jobs that the first worker took at once were assigned faster than this, from the moment the job was made.",
    unit: "s",
    queries: [[quantile(0.99, DURATION, direct), "p99"]],
    runbook: ["MusterDispatchBudgetBurnsFast"],
    bounds: [
      [0, GREEN],
      [0.1, ORANGE],
      [0.25, RED],
    ],
  }),
  number({
    title: "Jobs waiting",
    about:
      "Jobs that no worker has taken yet and that are not on hold. Somebody may be on the line for each.",
    unit: "short",
    queries: [[`sum(muster:agent_jobs_waiting:sum{${WHOLE}, ${agent}})`, "waiting"]],
    runbook: ["MusterNoWorkers", "MusterJobsWaitTooLong"],
    bounds: [
      [0, GREEN],
      [1, ORANGE],
      [50, RED],
    ],
  }),
  number({
    title: "Longest wait",
    about: "How long the job has waited that waits longest; 0 when none does.",
    unit: "s",
    queries: [[`max(muster:agent_oldest_wait_seconds:max{${WHOLE}, ${agent}})`, "longest"]],
    runbook: ["MusterJobsWaitTooLong"],
    bounds: [
      [0, GREEN],
      [15, ORANGE],
      [60, RED],
    ],
  }),
  number({
    title: "Alerts that fire",
    about: "Of Muster's alerts, those that fire now.",
    unit: "short",
    queries: [[`count(${firing}) or vector(0)`, "firing"]],
    bounds: [
      [0, GREEN],
      [1, RED],
    ],
  }),
];

const wrong = [
  timeline({
    title: "What is wrong now",
    about: "Each alert while it fires. The runbook has a section for each, by its name. Empty: none fires.",
    unit: "short",
    nothing: "No alert fires",
    width: 24,
    height: 6,
    queries: [[`max by (alertname) (${firing})`, "{{alertname}}"]],
  }),
];

const dispatch = [
  lines({
    title: "Direct dispatch: from the order to the assignment",
    about:
      "Jobs that the first worker took that was asked. The dashed line is what is promised of 99 in 100: 250 ms.",
    unit: "s",
    queries: [0.5, 0.9, 0.99].map((q) => [quantile(q, DURATION, direct), `p${100 * q}`]),
    runbook: ["MusterDispatchBudgetBurnsFast"],
    bounds: [
      [0, GREEN],
      [0.25, RED],
    ],
  }),
  lines({
    title: "After a wait: from the order to the assignment",
    isLog: true,
    about:
      "Jobs that had to wait for a free worker, or were refused by the first that was asked. It is as long as workers are few, not as Muster is slow.",
    unit: "s",
    queries: [0.5, 0.9, 0.99].map((q) => [quantile(q, DURATION, waited), `p${100 * q}`]),
    runbook: ["MusterJobsWaitTooLong"],
  }),
  lines({
    title: "Where the time goes: 9 of 10 are faster",
    isLog: true,
    about:
      "The stages of a dispatch. queue: until its first offer was decided. wait: without a free worker. match: the choice. offer: until the worker's yes. assign: from the yes to the assignment. first_status: until the worker first spoke of the job.",
    unit: "s",
    queries: [[quantile(0.9, "muster_dispatch_stage_duration_seconds", { by: "stage" }), "{{stage}}"]],
    runbook: ["MusterDispatchBudgetBurnsFast"],
  }),
  heat({
    title: "Direct dispatches by how long they took",
    about: "The darker, the more dispatches took so long.",
    unit: "s",
    width: 12,
    queries: [[times("le", `${DURATION}_bucket`, direct.matchers), "{{le}}"]],
    runbook: ["MusterDispatchBudgetBurnsFast"],
  }),
  lines({
    title: "How fast the budget burns",
    about:
      "At 1, the budget of 30 days is spent in 30 days. From 14.4 on it is gone in 2 days, and somebody is woken.",
    unit: "short",
    width: 12,
    queries: ["5m", "1h", "6h"].map((window) => [late(window), `over ${window}`]),
    runbook: ["MusterDispatchBudgetBurnsFast", "MusterDispatchBudgetBurnsSlowly"],
    bounds: [
      [0, GREEN],
      [1, ORANGE],
      [14.4, RED],
    ],
  }),
];

const work = [
  lines({
    title: "Orders taken in",
    about:
      "Orders for agents, a second, by the door they came through; those that were refused; and those that were answered with the live order of an agent that is one per room.",
    unit: "reqps",
    queries: [
      [perSecond("api", "muster_orders_accepted_total"), "{{api}}"],
      [perSecond("", "muster_orders_refused_total"), "refused"],
      [perSecond("", "muster_orders_merged_total"), "merged"],
    ],
    meanings: ["refused"],
    runbook: ["MusterApiFails", "MusterIntakeNotTaken"],
  }),
  lines({
    title: "Jobs on their way",
    about:
      "A second: places found (claimed), assignments sent, jobs that had to wait (parked), and jobs that went on to the next agent of their order (fell back).",
    unit: "ops",
    queries: [
      [perSecond("", "muster_jobs_claimed_total"), "claimed"],
      [perSecond("", "muster_jobs_assigned_total"), "assigned"],
      [perSecond("", "muster_jobs_parked_total"), "parked"],
      [perSecond("", "muster_jobs_fell_back_total"), "fell back"],
    ],
    runbook: ["MusterJobsWaitTooLong"],
  }),
  lines({
    title: "How jobs end",
    about:
      "A second, by outcome. expired: nobody took it in time. unknown: its worker was lost and nobody could say what became of it.",
    unit: "ops",
    isStacked: true,
    queries: [[perSecond("outcome", "muster_jobs_ended_total"), "{{outcome}}"]],
    meanings: ["success", "failed", "expired", "canceled"],
    runbook: ["MusterJobsFail", "MusterJobsExpire"],
  }),
  lines({
    title: "Jobs waiting, by agent",
    about: "Jobs that wait for a worker and are not on hold.",
    unit: "short",
    isStacked: true,
    queries: [[`muster:agent_jobs_waiting:sum{${WHOLE}, ${agent}}`, "{{agent}}"]],
    runbook: ["MusterNoWorkers", "MusterJobsWaitTooLong"],
  }),
  lines({
    title: "Longest wait, by agent",
    about: "How long the job has waited that waits longest. The dashed line is where somebody is told.",
    unit: "s",
    queries: [[`muster:agent_oldest_wait_seconds:max{${WHOLE}, ${agent}}`, "{{agent}}"]],
    runbook: ["MusterJobsWaitTooLong"],
    bounds: [
      [0, GREEN],
      [60, RED],
    ],
  }),
  lines({
    title: "Refused at the door, and waited for in vain",
    about:
      "Within each point: requests and worker messages that were refused, by why; jobs and orders that expired. A refusal is mostly a mistake of who asked.",
    unit: "short",
    queries: [
      [times("reason", "muster_refusals_total"), "{{reason}}"],
      [times("", "muster_jobs_ended_total", 'outcome="expired"'), "jobs expired"],
      [times("", "muster_orders_expired_total"), "orders expired"],
    ],
    runbook: ["MusterJobsExpire", "MusterOrdersExpire"],
  }),
];

export const overview = dashboard({
  uid: "muster-overview",
  title: "Muster / Overview",
  about:
    "Are callers served, and if not, what is wrong. Every panel says what it shows, and links to the runbook.",
  choices: ["namespace", "job", "instance", "agent"],
  rows: [
    ["Is it well?", well],
    ["What is wrong", wrong],
    ["Dispatch", dispatch],
    ["Work", work],
  ],
});
