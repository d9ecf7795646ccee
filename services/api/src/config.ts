/**
 * The settings of the api, with their defaults and what they mean. The only file here that knows of them by name.
 */

import { DEFAULT_MAX_ATTEMPTS } from "@muster/domain/job";
import { GUARD_MS, RETENTION_MS, STOP_BOUND_MS, WAIT_BOUND_MS } from "@muster/domain/timing";
import {
  durationMs,
  flag,
  host,
  keys,
  logLevel,
  port,
  redisUrl,
  wholeNumber,
} from "@muster/runtime/config-fields";
import { z } from "zod";
import type { ApiKeys } from "./auth.js";
import type { OrderPolicy } from "./policy.js";

const DAY_MS = 24 * 3_600_000;

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
};

export const keyFields = {
  keys: keys.optional().describe('API keys that tokens are checked with: lines of "key: secret".'),
  dev: flag
    .default(false)
    .describe("Takes tokens of the key devkey with the secret `secret`, as livekit-server --dev does."),
};

export const apiSchema = z
  .object({
    redisUrl: redisUrl.describe("Redis, Sentinel or Cluster that holds all state."),
    host: host.default("0.0.0.0").describe("Address to listen on."),
    port: port.default(7883).describe("Port to listen on."),
    logLevel: logLevel.default("info").describe("Lines below this level are not written."),
    drainMs: durationMs({ minMs: 0, maxMs: 600_000 })
      .default(2_000)
      .describe(
        "How long a stopping api still takes calls, so that load balancers see that it is not ready.",
      ),
    ...keyFields,
    ...intakeFields,
  })
  .refine((config) => config.keys !== undefined || config.dev, {
    path: ["keys"],
    message: 'must hold at least one "key: secret", or start with --dev',
    // Said together with the other problems, not after them.
    when: () => true,
  });

export type KeyConfig = z.output<z.ZodObject<typeof keyFields>>;
export type IntakeConfig = z.output<z.ZodObject<typeof intakeFields>>;

export function apiKeysFrom({ keys: given, dev }: KeyConfig): ApiKeys {
  return new Map([...(dev ? [["devkey", "secret"] as const] : []), ...(given ?? [])]);
}

/** The longest that a job is reckoned to run, for what must be remembered until it is over. */
const LONGEST_RUN_MS = 30 * DAY_MS;

export function orderPolicyFrom({ waitBoundMs, retentionMs, maxAttempts }: IntakeConfig): OrderPolicy {
  return {
    retainMs: retentionMs,
    guardMs: GUARD_MS,
    maxAttempts,
    waitMs: waitBoundMs,
    stopMs: STOP_BOUND_MS,
    keepEntryMs: waitBoundMs + LONGEST_RUN_MS + retentionMs,
  };
}
