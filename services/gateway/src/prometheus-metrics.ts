/**
 * Owns where the gateway's events are counted: those with a metric of their own in runtime/metric-names, and all of them
 * in `counts`, by name, for tests and for whoever asks the process.
 */

import type { GatewayEvent } from "@muster/runtime/metric-names";
import type { Metrics } from "@muster/runtime/metrics";
import type {
  GatewayMetrics,
  GatewayPopulation,
  OfferOutcome,
  ReportOutcome,
  UpgradeRefusal,
} from "./gateway-metrics.js";

export type GatewayCounts = Readonly<Record<string, number>>;

const OFFER_LABEL = {
  accepted: "accepted",
  rejected: "rejected",
  terminated: "rejected",
  slow: "timeout",
  silent: "timeout",
  undelivered: "lost",
  stale: "lost",
  failed: "lost",
} as const satisfies Record<OfferOutcome, string>;

/** Reports that are beside the usual course. */
const REPORT_EVENTS: Partial<Record<ReportOutcome, GatewayEvent>> = {
  refused: "report_refused",
  failed: "report_failed",
  retrying: "report_retrying",
};

const REFUSAL_REASON = {
  no_token: "unauthenticated",
  bad_token: "unauthenticated",
  no_agent_grant: "permission_denied",
  room_token: "permission_denied",
  browser: "permission_denied",
} as const satisfies Record<UpgradeRefusal, string>;

const WIRE_NAMES = {
  register: "register",
  availability: "availability",
  updateWorker: "update_worker",
  updateJob: "update_job",
  ping: "ping",
  simulateJob: "simulate_job",
  migrateJob: "migrate_job",
} as const;

export function createGatewayMetrics(metrics: Metrics): { metrics: GatewayMetrics; counts: GatewayCounts } {
  const counts: Record<string, number> = {};
  const count = (name: string, by = 1): void => {
    counts[name] = (counts[name] ?? 0) + by;
  };
  const events = metrics.counter("gateway_events_total");
  const happened = (event: GatewayEvent, name: string = event, by = 1): void => {
    count(name, by);
    events.add({ event }, by);
  };
  const connections = metrics.gauge("websocket_connections");
  const messages = metrics.counter("websocket_messages_total");
  const refusals = metrics.counter("refusals_total");
  const loads = metrics.counter("load_samples_refused_total");
  const offers = metrics.counter("offers_total");
  const dispatches = metrics.histogram("dispatch_duration_seconds");
  const stages = metrics.histogram("dispatch_stage_duration_seconds");
  const loadRatios = metrics.histogram("worker_load_ratio");
  const ended = metrics.counter("jobs_ended_total");
  const readoptions = metrics.counter("readoptions_total");
  const prevented = metrics.counter("duplicates_prevented_total");
  const assigned = metrics.counter("jobs_assigned_total");
  const ejections = metrics.counter("worker_ejections_total");
  const lastEjections = metrics.counter("worker_ejections_last_of_pool_total");
  const suspects = metrics.counter("jobs_suspected_total");

  const port: GatewayMetrics = {
    socketOpened: () => connections.add({}, 1),
    socketClosed: () => connections.add({}, -1),
    upgradeRefused(reason) {
      count(`upgrade_refused.${reason}`);
      refusals.add({ reason: REFUSAL_REASON[reason] });
    },
    sessionRegistered: () => happened("session_registered"),
    sessionsRegisteredAgain: (sessions) => happened("session_registered_again", undefined, sessions),
    messageReceived(kind) {
      const type = kind in WIRE_NAMES ? WIRE_NAMES[kind as keyof typeof WIRE_NAMES] : undefined;
      if (type !== undefined) messages.add({ type, direction: "in" });
    },
    messageRefused(code) {
      count(`message_refused.${code}`);
      refusals.add({ reason: code });
    },
    overworked: (bound) => happened(`overworked_${bound}`),
    simulationsRefused: () => happened("simulations_refused"),
    unreadCut: () => happened("unread_cut"),
    tokenExpired: () => happened("token_expired"),
    loadRefused(kind) {
      count(`load_refused.${kind}`);
      loads.add({ kind });
    },
    workerMiscounted: (how) => happened(`worker_counts_${how}`),
    workerMisfit: () => happened("worker_load_below_count"),
    reportStale: () => happened("load_report_stale"),
    samplesWritten: (samples) => count("samples_written", samples),
    offerMade: () => messages.add({ type: "availability", direction: "out" }),
    offerEnded(outcome) {
      count(`offer_ended.${outcome}`);
      offers.add({ outcome: OFFER_LABEL[outcome] });
      if (outcome === "terminated") ended.add({ outcome: "terminated_by_worker" });
    },
    workerEjected(reason, isLast) {
      count(`worker_ejected.${reason}`);
      if (isLast) lastEjections.add({});
      else ejections.add({ reason });
    },
    jobSuspected: (reason) => suspects.add({ reason }),
    offerHeld: () => happened("offer_held"),
    staleAnswer: () => prevented.add({ by: "stale_answer" }),
    answeredLate: (how) => happened(`late_answer_${how}`, `late_answer.${how}`),
    answerIgnored: () => happened("answer_ignored"),
    stageTook: (stage, ms) => stages.observe({ stage }, Math.max(0, ms) / 1_000),
    loadReported: (load) => loadRatios.observe({}, load),
    assignmentSent(first) {
      assigned.add({});
      if (first !== undefined) dispatches.observe({ path: first.path }, Math.max(0, first.tookMs) / 1_000);
      messages.add({ type: "assignment", direction: "out" });
    },
    assignmentWithheld: (reason) => happened(`assignment_${reason}`, `assignment_withheld.${reason}`),
    startWithdrawn: () => happened("start_withdrawn"),
    reportTaken(outcome, failed) {
      count(`report.${outcome}`);
      if (outcome === "ended") ended.add({ outcome: failed ? "failed" : "success" });
      const event = REPORT_EVENTS[outcome];
      if (event !== undefined) events.add({ event });
    },
    reportRefused: (reason) => count(`report_refused.${reason}`),
    stopSent: () => messages.add({ type: "termination", direction: "out" }),
    messageUnroutable: (kind) => happened(`unroutable_${kind}`, `unroutable.${kind}`),
    jobSimulated: () => happened("job_simulated"),
    migrationAsked: (jobs) => happened("migration_asked", undefined, jobs),
    migrated({ moved, stopped, refused }) {
      happened("migration_moved", undefined, moved);
      happened("migration_stopped", undefined, stopped);
      happened("migration_refused", undefined, refused);
      readoptions.add({ how: "migrated" }, moved);
      prevented.add({ by: "migration_stopped" }, stopped);
    },
    ghostFound() {
      happened("ghost_stopped");
      prevented.add({ by: "ghost_stopped" });
    },
    halfOpenClosed() {
      happened("half_open_closed");
      prevented.add({ by: "half_open_closed" });
    },
    sessionRemoved({ orphaned, ended: finished }) {
      happened("job_orphaned", undefined, orphaned);
      happened("job_ended_goodbye", undefined, finished);
      ended.add({ outcome: "success" }, finished);
    },
    guardRaised: () => happened("guard_raised"),
    beforeRead: (look) => metrics.beforeRender(async () => setPopulation(metrics, look())),
    jobRestored() {
      happened("job_restored");
      readoptions.add({ how: "restored" });
    },
    jobNotRestored: () => happened("job_not_restored"),
    heldUnknown: (jobs) => happened("held_unknown", undefined, jobs),
    leaseRenewed: () => count("lease_renewed"),
    leaseLapsed: () => happened("lease_lapsed"),
    leaseFailed: () => happened("lease_failed"),
    hintDropped: (reason) => happened(`hint_dropped_${reason}`, `hint_dropped.${reason}`),
  };
  return { metrics: port, counts };
}

function setPopulation(metrics: Metrics, { available, full, jobs }: GatewayPopulation): void {
  const sessions = metrics.gauge("sessions");
  sessions.set({ status: "available" }, available);
  sessions.set({ status: "full" }, full);
  metrics.gauge("jobs_held").set({}, jobs);
}
