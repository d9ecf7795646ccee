/**
 * What the api counts, as verbs of its domain. Names and help are in runtime/metric-names.
 */

import type { DispatchErrorCode } from "@muster/domain/errors";
import type { EndedAs } from "@muster/domain/job";
import { poolOf } from "@muster/domain/pool";
import { WEBHOOK_EVENTS } from "@muster/runtime/metric-names";
import type { Metrics } from "@muster/runtime/metrics";
import type { EventMetrics } from "./events/event-metrics.js";

/** Through which API, or by a rule. */
/** `livekit`: taken over from livekit-server. */
export type OrderDoor = "twirp" | "rest" | "rule" | "livekit";

export interface ApiMetrics {
  /** Not counted again when the call is repeated. */
  orderAccepted(api: OrderDoor): void;
  orderRefused(api: OrderDoor): void;
  /** Answered with the live order that its agent has in the room; again when the call is repeated. */
  orderMerged(api: OrderDoor): void;
  /** Any call, by why it was refused or failed. */
  refused(reason: DispatchErrorCode): void;
  /** A webhook that was answered with 200, by the name of its event as LiveKit gave it. */
  webhookReceived(event: string): void;
  webhookRefused(reason: DispatchErrorCode): void;
  /** At the start of a room's life, by what named it. */
  configurationMissing(namedBy: "rule" | "metadata"): void;
  /** Not counted again when the call is repeated. */
  drainChanged(change: "begun" | "undone"): void;
  /** By a call, or with its room. */
  jobsEnded(outcome: EndedAs, jobs?: number): void;
  /** An agent was put out of its room: a former holder of a job, or one beside an agent of livekit-server's own workers. */
  agentRemoved(reason: "older_epoch" | "served_elsewhere"): void;
  /** A job ended since a worker of livekit-server's own serves its dispatch. */
  dispatchDoubled(): void;
  /** The agent left its room at once, and a caller stayed. `pool`: of the job. */
  jobWasShort(pool: string): void;
  /** From where a new order knows what its room is. `made`: LiveKit made it for the order. */
  orderRoomKnown(from: "livekit" | "made" | "book" | "nobody"): void;
  /** LiveKit did not answer, and new orders do not ask it for a while; or it answers again. */
  livekitPaused(isPaused: boolean): void;
}

/** Prometheus takes an empty label for none. */
const UNNAMED = "(unnamed)";
const KNOWN_EVENTS = new Map(WEBHOOK_EVENTS.map((event) => [event as string, event]));

export function apiMetrics(metrics: Metrics): ApiMetrics {
  const accepted = metrics.counter("orders_accepted_total");
  const refusedOrders = metrics.counter("orders_refused_total");
  const merged = metrics.counter("orders_merged_total");
  const refusals = metrics.counter("refusals_total");
  const webhooks = metrics.counter("webhooks_received_total");
  const refusedWebhooks = metrics.counter("webhooks_refused_total");
  const missing = metrics.counter("room_configurations_missing_total");
  const drains = metrics.counter("drain_changes_total");
  const removed = metrics.counter("agents_removed_total");
  const prevented = metrics.counter("duplicates_prevented_total");
  const ended = metrics.counter("jobs_ended_total");
  const doubled = metrics.counter("dispatches_doubled_total");
  const short = metrics.counter("jobs_short_total");
  const known = metrics.counter("order_rooms_total");
  const paused = metrics.gauge("livekit_questions_paused");
  paused.set({}, 0);
  return {
    orderAccepted: (api) => accepted.add({ api }),
    orderMerged: (api) => merged.add({ api }),
    orderRefused: (api) => refusedOrders.add({ api }),
    refused: (reason) => refusals.add({ reason }),
    webhookReceived: (event) => webhooks.add({ event: KNOWN_EVENTS.get(event) ?? "other" }),
    webhookRefused: (reason) => refusedWebhooks.add({ reason }),
    configurationMissing: (namedBy) => missing.add({ named_by: namedBy }),
    drainChanged: (change) => drains.add({ change }),
    jobsEnded: (outcome, jobs = 1) => ended.add({ outcome }, jobs),
    agentRemoved(reason) {
      removed.add({ reason });
      if (reason === "older_epoch") prevented.add({ by: "agent_removed" });
    },
    dispatchDoubled: () => doubled.add({}),
    jobWasShort(pool) {
      const { agentName, deployment } = poolOf(pool);
      short.add({ agent: agentName || UNNAMED, deployment: deployment || UNNAMED });
    },
    orderRoomKnown: (from) => known.add({ from }),
    livekitPaused: (isPaused) => paused.set({}, isPaused ? 1 : 0),
  };
}

export function eventMetrics(metrics: Metrics): EventMetrics {
  const deliveries = metrics.counter("webhook_deliveries_total");
  const missed = metrics.counter("events_missed_total");
  const listeners = metrics.gauge("event_listeners");
  const dropped = metrics.counter("event_listeners_dropped_total");
  listeners.set({}, 0);
  return {
    delivered: () => deliveries.add({ outcome: "delivered" }),
    deliveryFailed: () => deliveries.add({ outcome: "failed" }),
    deliveryDied: () => deliveries.add({ outcome: "dead" }),
    eventsMissed: () => missed.add({}),
    listeners: (count) => listeners.set({}, count),
    listenerDropped: (reason) => dropped.add({ reason }),
  };
}
