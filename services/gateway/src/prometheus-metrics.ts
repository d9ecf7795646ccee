/**
 * Owns where the gateway's events are counted: those with a metric of their own in runtime/metric-names, and all of them
 * in `counts`, by name, for tests and for whoever asks the process.
 */

import type { Metrics } from "@muster/runtime/metrics";
import type { GatewayMetrics, OfferOutcome } from "./gateway-metrics.js";

export type GatewayCounts = Readonly<Record<string, number>>;

const OFFER_LABEL = {
  accepted: "accepted",
  rejected: "rejected",
  terminated: "rejected",
  silent: "timeout",
  undelivered: "lost",
  stale: "lost",
  failed: "lost",
} as const satisfies Record<OfferOutcome, string>;

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
  const connections = metrics.gauge("websocket_connections");
  const messages = metrics.counter("websocket_messages_total");
  const refusals = metrics.counter("refusals_total");
  const loads = metrics.counter("load_samples_refused_total");
  const offers = metrics.counter("offers_total");
  const assigned = metrics.counter("jobs_assigned_total");

  const port: GatewayMetrics = {
    socketOpened: () => connections.add({}, 1),
    socketClosed: () => connections.add({}, -1),
    upgradeRefused(reason) {
      count(`upgrade_refused.${reason}`);
      refusals.add({ reason: reason === "no_agent_grant" ? "permission_denied" : "unauthenticated" });
    },
    sessionRegistered: () => count("session_registered"),
    sessionsRegisteredAgain: (sessions) => count("session_registered_again", sessions),
    messageReceived(kind) {
      const type = kind in WIRE_NAMES ? WIRE_NAMES[kind as keyof typeof WIRE_NAMES] : undefined;
      if (type !== undefined) messages.add({ type, direction: "in" });
    },
    messageRefused(code) {
      count(`message_refused.${code}`);
      refusals.add({ reason: code });
    },
    loadRefused(kind) {
      count(`load_refused.${kind}`);
      loads.add({ kind });
    },
    samplesWritten: (samples) => count("samples_written", samples),
    offerMade: () => messages.add({ type: "availability", direction: "out" }),
    offerEnded(outcome) {
      count(`offer_ended.${outcome}`);
      offers.add({ outcome: OFFER_LABEL[outcome] });
    },
    answerIgnored: () => count("answer_ignored"),
    assignmentSent() {
      assigned.add({});
      messages.add({ type: "assignment", direction: "out" });
    },
    assignmentWithheld: (reason) => count(`assignment_withheld.${reason}`),
    reportTaken: (outcome) => count(`report.${outcome}`),
    reportRefused: (reason) => count(`report_refused.${reason}`),
    stopSent: () => messages.add({ type: "termination", direction: "out" }),
    messageUnroutable: (kind) => count(`unroutable.${kind}`),
    jobSimulated: () => count("job_simulated"),
    migrationAsked: (jobs) => count("migration_asked_jobs", jobs),
    heldUnknown: (jobs) => count("held_unknown", jobs),
    leaseRenewed: () => count("lease_renewed"),
    leaseLapsed: () => count("lease_lapsed"),
    leaseFailed: () => count("lease_failed"),
    hintDropped: (reason) => count(`hint_dropped.${reason}`),
  };
  return { metrics: port, counts };
}
