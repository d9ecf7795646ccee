/**
 * The settings that `muster` reads: those of every service, since it looks at all of them, and where their processes can
 * be reached. Each is optional here: what a service cannot do without is said by that service's own schema.
 */

import { apiSchema } from "@muster/api/config";
import { dispatcherSchema } from "@muster/dispatcher/config";
import { gatewaySchema } from "@muster/gateway/config";
import { host, port, url } from "@muster/runtime/config-fields";
import { standaloneSchema } from "@muster/standalone/config";
import { z } from "zod";

const httpUrl = () => url(["http", "https"]).optional();

/** What no service knows. docs/CONFIGURATION.md has it as the section "cli". */
export const cliSchema = z.object({
  apiUrl: httpUrl().describe("The api, as this machine reaches it; for its readiness, version and clock."),
  gatewayUrl: httpUrl().describe("A gateway, or what stands before it, as workers dial it."),
  dispatcherUrl: httpUrl().describe("A dispatcher's port of /readyz and /metrics."),
});

export const SERVICE_SCHEMAS = {
  gateway: gatewaySchema,
  dispatcher: dispatcherSchema,
  api: apiSchema,
  standalone: standaloneSchema,
} as const;

export type ServiceName = keyof typeof SERVICE_SCHEMAS;

/** `standalone` has the settings of all the others. */
export const settingsSchema = z.object({
  ...standaloneSchema.shape,
  // Where a service without keys of its own would listen is no matter for its port.
  host: host.default("0.0.0.0").describe("Address that the services listen on."),
  // Without it each service has its own.
  port: port.optional().describe("Port of the one service that is looked at."),
  ...cliSchema.shape,
});

export type Settings = z.output<typeof settingsSchema>;
