/**
 * The settings of the api, with their defaults and what they mean. The only file here that knows of them by name.
 */

import { DEFAULT_MAX_ATTEMPTS } from "@muster/domain/job";
import { MOST_NAMESPACES } from "@muster/domain/limits";
import {
  GUARD_MS,
  REMOVE_AGENT_MS,
  RETENTION_MS,
  SHORT_JOB_MS,
  STOP_BOUND_MS,
  WAIT_BOUND_MS,
} from "@muster/domain/timing";
import { type LivekitSettings, livekitFields } from "@muster/livekit/settings";
import {
  durationMs,
  flag,
  hasMetricsPort,
  httpKeepAliveMs,
  httpRequestMs,
  keys,
  listenHost,
  logLevel,
  metricsFields,
  NO_METRICS_PORT,
  port,
  redisUrl,
  wholeNumber,
} from "@muster/runtime/config-fields";
import { z } from "zod";
import type { ApiKeys } from "./auth.js";
import { DOOR_DEFAULTS, type DoorPolicy } from "./door-policy.js";
import type { EventsDeps } from "./events/start-events.js";
import { webhookUrls } from "./events/webhook-urls.js";
import { ADOPT_UNNAMED, type OrderPolicy } from "./policy.js";

const DAY_MS = 24 * 3_600_000;
const MIB = 1024 * 1024;
const SAFE_COUNT = { min: 1, max: 100_000 };

export const intakeFields = {
  waitBoundMs: durationMs({ minMs: 1_000, maxMs: 30 * DAY_MS })
    .default(WAIT_BOUND_MS)
    .describe("How long a job may wait for a worker before it ends as expired."),
  maxAttempts: wholeNumber({ min: 1, max: 100 })
    .default(DEFAULT_MAX_ATTEMPTS)
    .describe("Starts of a job that may fail before the job does."),
  retentionMs: durationMs({ minMs: 1_000, maxMs: 30 * DAY_MS })
    .default(RETENTION_MS)
    .describe("How long ended jobs and orders are kept, and with them the memory of request ids."),
  adoptUnnamed: z
    .enum(ADOPT_UNNAMED, { error: `must be one of ${ADOPT_UNNAMED.join(", ")}` })
    .default("known")
    .describe(
      "LiveKit's automatic dispatch is taken over: `known`, while a worker without a name is connected, or was within 10 minutes; `always`; `never`.",
    ),
  maxNamespacesPerOrder: wholeNumber({ min: 0, max: 100_000 })
    .default(MOST_NAMESPACES)
    .describe(
      "Namespaces that an order without one goes to, one job in each: those that know its agent, the default one apart; 0 for no bound. Known in more: refused.",
    ),
  createRooms: flag
    .default(true)
    .describe(
      "With livekitUrl: create the room of an order when it is not there. Off: the order waits for it.",
    ),
  shortJobMs: durationMs({ minMs: 0, maxMs: 60_000 })
    .default(SHORT_JOB_MS)
    .describe(
      "A job is short when its agent joined the room, left within so long, and a caller stayed: counted by agent, where LiveKit's webhooks arrive. 0: off.",
    ),
};

export const doorFields = {
  bodiesBytes: wholeNumber({ min: 32 * MIB, max: 16 * 1024 * MIB })
    .default(DOOR_DEFAULTS.bodiesBytes)
    .describe(
      "Bytes of request bodies that an api holds at a time: 32 MiB at least. One identity of a key may have a quarter of it, a key's tokens without identity and LiveKit's webhooks half each.",
    ),
  bodyMs: durationMs({ minMs: 1_000, maxMs: 600_000 })
    .default(DOOR_DEFAULTS.bodyMs)
    .describe("How long a request's body may take to arrive; a slower one is refused."),
  livekitCalls: wholeNumber(SAFE_COUNT)
    .default(DOOR_DEFAULTS.livekitCalls)
    .describe(
      "Calls of LiveKit's API that are passed on at a time, and as many of SIP. One identity of a key may have an eighth of them, a key's tokens without identity three quarters; of more calls 1,024, or 4,096, wait for up to 30 s.",
    ),
  eventStreams: wholeNumber(SAFE_COUNT)
    .default(DOOR_DEFAULTS.eventStreams)
    .describe("Live streams of job events that an api holds at a time."),
  eventStreamsPerToken: wholeNumber(SAFE_COUNT)
    .default(DOOR_DEFAULTS.eventStreamsPerToken)
    .describe("Of these, with one token; with another one its oldest ends."),
  eventStreamsPerKey: wholeNumber(SAFE_COUNT)
    .default(DOOR_DEFAULTS.eventStreamsPerKey)
    .describe(
      "Of these, with tokens of one key, once there are no more: who has more makes room for those who have fewer.",
    ),
  rules: wholeNumber(SAFE_COUNT)
    .default(DOOR_DEFAULTS.rules)
    .describe("Rules that a project may have; no more are made above it, those that are there stay."),
  roomConfigurations: wholeNumber(SAFE_COUNT)
    .default(DOOR_DEFAULTS.roomConfigurations)
    .describe("Room configurations that a project may have, likewise."),
};

export const keyFields = {
  keys: keys.optional().describe('API keys that tokens are checked with: lines of "key: secret".'),
  dev: flag
    .default(false)
    .describe("Takes tokens of the key devkey with the secret `secret`, as livekit-server --dev does."),
};

export const eventFields = {
  webhookUrls: webhookUrls
    .optional()
    .describe("Receivers of job events, signed as LiveKit's webhooks: up to 16 urls, one a line."),
  webhookKey: z
    .string({ error: "must be text" })
    .optional()
    .describe("The one of keys that signs webhooks; unset: the first."),
};

/** Of the refinement by hasWebhookKey. */
export const NO_WEBHOOK_KEY = { path: ["webhookKey"], error: "must be one of keys" };

export const apiSchema = z
  .object({
    redisUrl: redisUrl.describe("Redis, Sentinel or Cluster that holds all state."),
    host: listenHost,
    port: port.default(7883).describe("Port to listen on."),
    ...metricsFields,
    httpKeepAliveMs,
    httpRequestMs,
    logLevel: logLevel.default("info").describe("Lines below this level are not written."),
    drainMs: durationMs({ minMs: 0, maxMs: 600_000 })
      .default(2_000)
      .describe(
        "How long a stopping api still takes calls, so that load balancers see that it is not ready.",
      ),
    ...keyFields,
    ...intakeFields,
    ...doorFields,
    ...livekitFields,
    ...eventFields,
  })
  .refine((config) => config.keys !== undefined || config.dev, {
    path: ["keys"],
    message: 'must hold at least one "key: secret", or start with --dev',
    // Said together with the other problems, not after them.
    when: () => true,
  })
  .refine(hasMetricsPort, NO_METRICS_PORT)
  .refine(hasWebhookKey, NO_WEBHOOK_KEY);

export type KeyConfig = z.output<z.ZodObject<typeof keyFields>>;
export type LivekitConfig = z.output<z.ZodObject<typeof livekitFields>>;
export type EventConfig = z.output<z.ZodObject<typeof eventFields>>;
export type DoorConfig = z.output<z.ZodObject<typeof doorFields>>;
export type IntakeConfig = z.output<z.ZodObject<typeof intakeFields>>;

export function apiKeysFrom({ keys: given, dev }: KeyConfig): ApiKeys {
  return new Map([...(dev ? [["devkey", "secret"] as const] : []), ...(given ?? [])]);
}

export function doorPolicyFrom(config: DoorConfig): DoorPolicy {
  const { bodiesBytes, bodyMs, livekitCalls, eventStreams, eventStreamsPerToken, eventStreamsPerKey } =
    config;
  const { rules, roomConfigurations } = config;
  return {
    ...{ bodiesBytes, bodyMs, livekitCalls, eventStreams, eventStreamsPerToken, eventStreamsPerKey },
    ...{ rules, roomConfigurations },
  };
}

export type EventSettings = Pick<EventsDeps, "urls" | "signing">;

/** Whether `webhookKey` is one of the keys; of a schema that has both. */
export function hasWebhookKey(config: EventConfig & KeyConfig): boolean {
  return config.webhookKey === undefined || apiKeysFrom(config).has(config.webhookKey);
}

/** Receivers, and what signs for them. At least one key is there. */
export function eventSettingsFrom(config: EventConfig & KeyConfig): EventSettings {
  const keys = apiKeysFrom(config);
  const [first = ""] = keys.keys();
  const apiKey = config.webhookKey ?? first;
  return { urls: config.webhookUrls ?? [], signing: { apiKey, apiSecret: keys.get(apiKey) ?? "" } };
}

export function livekitFrom(config: LivekitConfig & KeyConfig): LivekitSettings {
  return { url: config.livekitUrl, keys: config.livekitKeys ?? apiKeysFrom(config) };
}

/** How often rooms are looked after whose events may be lost. */
const ROOMS_EVERY_MS = 15_000;
/** The longest that a job is reckoned to run, for what must be remembered until it is over. */
const LONGEST_RUN_MS = 30 * DAY_MS;

export function orderPolicyFrom(config: IntakeConfig & Pick<LivekitConfig, "livekitUrl">): OrderPolicy {
  const { waitBoundMs, retentionMs, maxAttempts, createRooms, adoptUnnamed, shortJobMs, livekitUrl } = config;
  const { maxNamespacesPerOrder } = config;
  return {
    retainMs: retentionMs,
    guardMs: GUARD_MS,
    maxAttempts,
    waitMs: waitBoundMs,
    stopMs: STOP_BOUND_MS,
    removeMs: livekitUrl === undefined ? 0 : REMOVE_AGENT_MS,
    createRooms,
    adoptUnnamed,
    shortJobMs,
    maxNamespacesPerOrder,
    roomsEveryMs: ROOMS_EVERY_MS,
    keepEntryMs: waitBoundMs + LONGEST_RUN_MS + retentionMs,
  };
}
