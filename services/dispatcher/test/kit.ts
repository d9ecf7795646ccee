/**
 * A dispatcher in this process on a real Redis, a gateway that is nothing but an inbox, and a presence that says what it
 * is told to say.
 */

import { randomBytes } from "node:crypto";
import { Inbox } from "@muster/actor/inbox";
import { idFrom } from "@muster/domain/ids";
import type { GatewayMessage, OfferMessage } from "@muster/domain/node-message";
import { systemClock } from "@muster/runtime/clock";
import { createLog, type Log } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { countCommands } from "@muster/runtime/redis/command-count";
import { closeRedis, connectRedis } from "@muster/runtime/redis/connect";
import { metricIn } from "@muster/test/kit/metric-line";
import { dispatcherMetrics } from "../src/metrics.js";
import type { DispatchPolicy } from "../src/policy.js";
import { noPresence, type Presence, type PresenceQuestion, type PresenceVerdict } from "../src/presence.js";
import { startDispatcher } from "../src/start-dispatcher.js";
import type { RoomAttendant } from "../src/stopped-agents.js";

export const clock = systemClock;
export const log = createLog({ level: "silent", service: "test" });
export const newId = (kind: "order" | "job" | "session" | "node") => idFrom(kind, randomBytes(16));

/** Longer than the 2 s after which presence is asked for the first time. */
export const DOUBT_MS = 5_000;

export const testPolicy: DispatchPolicy = {
  claim: { offerMs: 600, retryMs: 50, scan: 32 },
  heads: 16,
  guardMs: 300,
  graceMs: 500,
  holdMs: 0,
  presenceLimitMs: 300,
  recheckMs: 200,
  startMs: 1,
  resumeUnproven: false,
  doubtsReports: true,
  stopMs: 500,
  coolMs: 200,
  earlyMs: 300,
  silentJobMs: 60_000,
  reportMs: 60_000,
  doubtMs: DOUBT_MS,
  retainMs: 60_000,
};

/** Says of each job what it was told to; of all others, `otherwise`. */
export function staticPresence(otherwise: PresenceVerdict = "unknown") {
  const verdicts = new Map<string, PresenceVerdict>();
  const asked: PresenceQuestion[] = [];
  const presence: Presence = {
    ...noPresence,
    async ask(question) {
      asked.push(question);
      return verdicts.get(question.job) ?? otherwise;
    },
  };
  return { ...presence, verdicts, asked };
}

export interface DispatcherOptions extends Partial<DispatchPolicy> {
  presence?: Presence;
  roomService?: RoomAttendant;
  leaseMs?: number;
  log?: Log;
}

export async function runDispatcher(url: string, options: DispatcherOptions = {}) {
  const { presence = noPresence, roomService, leaseMs = 600, log: dispatcherLog = log, ...policy } = options;
  const redis = connectRedis({ url, name: "dispatcher", log });
  const blocking = connectRedis({ url, name: "dispatcher-inbox", log, blocking: true });
  const commands = countCommands(redis);
  const metrics = createMetrics({ service: "dispatcher" });
  const nodeId = newId("node");
  const dispatcher = await startDispatcher({
    nodeId,
    redis,
    blocking,
    policy: { ...testPolicy, ...policy },
    presence,
    roomService,
    leaseMs,
    maxSleepMs: 500,
    metrics: dispatcherMetrics(metrics),
    clock,
    random: Math.random,
    newGeneration: () => randomBytes(8).toString("hex"),
    log: dispatcherLog,
  });
  return {
    nodeId,
    /** Issued so far, all of them but blocked reads. */
    commands,
    ready: () => dispatcher.ready(),
    hosted: () => dispatcher.hosted(),
    /** The value of one line of /metrics. */
    metric: async (line: string) => metricIn(await metrics.render(), line),
    metrics,
    async stop() {
      await dispatcher.stop(2_000);
      await closeRedis(blocking);
      await closeRedis(redis);
    },
  };
}

/** An inbox that keeps what it got. */
export async function runGateway(url: string) {
  const redis = connectRedis({ url, name: "gateway", log });
  const blocking = connectRedis({ url, name: "gateway-inbox", log, blocking: true });
  const nodeId = newId("node");
  const messages: GatewayMessage[] = [];
  const handle = (raw: unknown) => void messages.push(raw as GatewayMessage);
  const inbox = new Inbox({ redis, blocking, nodeId, clock, log, handle, onGap: () => {} });
  await inbox.open();
  return {
    nodeId,
    messages,
    offers: () => messages.filter((message): message is OfferMessage => message.kind === "offer"),
    async stop() {
      await inbox.close();
      await closeRedis(blocking);
      await closeRedis(redis);
    },
  };
}
