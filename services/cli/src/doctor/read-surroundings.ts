/**
 * Owns how the settings are read: from the variables, the file and the arguments, as services read theirs, and what each
 * of these would say at its start.
 */

import { randomBytes } from "node:crypto";
import { loadUws } from "@muster/gateway/transport/uws-native";
import { systemClock } from "@muster/runtime/clock";
import { ConfigError, loadConfig } from "@muster/runtime/config";
import { createLog } from "@muster/runtime/log";
import type { z } from "zod";
import { SERVICE_SCHEMAS, type ServiceName, settingsSchema } from "../config.js";
import { RedisAccess } from "./redis-access.js";
import type { Surroundings } from "./surroundings.js";

/** Of the command line; each wins over its variable. */
export interface Given {
  config?: string;
  dev?: true;
  service: readonly ServiceName[];
  apiUrl?: string;
  gatewayUrl?: string;
  dispatcherUrl?: string;
}

interface Reading {
  env: Readonly<Record<string, string | undefined>>;
  argv: readonly string[];
  envPrefix: string;
}

const PATIENCE_MS = 3_000;

/** @throws ConfigError with all that is wrong */
export function readSurroundings(given: Given, variables: Reading["env"]): Surroundings {
  const env = {
    ...variables,
    ...(given.dev === true && { MUSTER_DEV: "true" }),
    ...(given.apiUrl !== undefined && { MUSTER_API_URL: given.apiUrl }),
    ...(given.gatewayUrl !== undefined && { MUSTER_GATEWAY_URL: given.gatewayUrl }),
    ...(given.dispatcherUrl !== undefined && { MUSTER_DISPATCHER_URL: given.dispatcherUrl }),
  };
  const argv = given.config === undefined ? [] : ["--config", given.config];
  const reading = { env, argv, envPrefix: "MUSTER_" };
  const settings = loadConfig({ ...reading, schema: settingsSchema });
  const { redisUrl: url } = settings;
  const log = createLog({ level: "silent", service: "doctor" });
  return {
    ...{ settings, services: given.service, clock: systemClock, loadUws },
    problemsOf: (service) => problemsOf(SERVICE_SCHEMAS[service], reading),
    redis: url === undefined ? undefined : new RedisAccess({ url, log, patienceMs: PATIENCE_MS }),
    mark: randomBytes(4).toString("hex"),
  };
}

/** What a service with this schema would say at its start. */
function problemsOf(schema: z.ZodObject, reading: Reading): readonly string[] {
  try {
    loadConfig({ ...reading, schema, warn: () => {} });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
