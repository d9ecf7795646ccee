/**
 * Owns the kinds of settings that services share. Each takes what a YAML file gives (numbers, booleans, maps) and what
 * a variable gives (text), and says in one sentence beginning with "must" what it wants.
 * A field that may hold a secret carries `.meta({ secret: true })`, so that no error repeats it.
 */
import { z } from "zod";
import { LOG_LEVELS } from "./log.js";
import { parseRedisUrl } from "./redis/url.js";

/** A Redis url in any of the forms that connectRedis knows. */
export const redisUrl = z
  .string({ error: "must be a Redis url: redis://host:port" })
  .superRefine((text, context) => {
    try {
      parseRedisUrl(text);
    } catch (error) {
      context.addIssue({
        code: "custom",
        message: `must be usable: ${error instanceof Error ? error.message : ""}`,
      });
    }
  })
  .meta({ secret: true });

const HOST_PROBLEM = "must be a host name or an IP address";
export const host = z
  .string({ error: HOST_PROBLEM })
  .regex(/^[A-Za-z0-9._:-]{1,253}$/, { error: HOST_PROBLEM });

/** Where nothing is said: everywhere; but while everybody's keys are taken, for this machine alone. */
export const listenHost = host
  .optional()
  .describe("Address to listen on; unset: 0.0.0.0, and 127.0.0.1 while everybody's keys (dev) are taken.");

export function listenHostFrom({ host: given, dev }: { host?: string | undefined; dev: boolean }): string {
  return given ?? (dev ? "127.0.0.1" : "0.0.0.0");
}

/** Listening ports; `0` would be one that nobody can know. */
export const port = wholeNumber({ min: 1, max: 65_535 });

/** Longer than the pools of usual balancers: AWS and nginx close after 60 s, Google Cloud after 600 s. */
export const HTTP_KEEP_ALIVE_MS = 620_000;

const TOKEN_PROBLEM = "must be 16 to 1024 characters of ASCII, without spaces";

/** Who may read metrics: everybody who reaches the port, unless one of these is set. */
export const metricsFields = {
  metricsPort: port
    .optional()
    .describe(
      "A port for /metrics alone, on the same address, other than port; unset: it is where the rest is.",
    ),
  metricsToken: z
    .string({ error: TOKEN_PROBLEM })
    .regex(/^[!-~]{16,1024}$/, { error: TOKEN_PROBLEM })
    .optional()
    .describe(
      "Who reads /metrics must bring it, as `Authorization: Bearer …`: 16 to 1024 characters; unset: nobody needs to.",
    )
    .meta({ secret: true }),
};

export type MetricsAccess = z.output<z.ZodObject<typeof metricsFields>>;

/** Of a schema that has both: two servers cannot listen on one port. With NO_METRICS_PORT. */
export function hasMetricsPort({ port, metricsPort }: { port: number; metricsPort?: number | undefined }) {
  return metricsPort === undefined || metricsPort !== port;
}

/** Of the refinement by hasMetricsPort. */
export const NO_METRICS_PORT = {
  path: ["metricsPort"],
  error: "must be another port than MUSTER_PORT (port); unset, metrics are there",
  // Said together with the other problems, not after them.
  when: () => true,
};

/** For every service that answers requests which must not be repeated. */
export const httpKeepAliveMs = durationMs({ minMs: 1_000, maxMs: 3_600_000 })
  .default(HTTP_KEEP_ALIVE_MS)
  .describe(
    "How long an idle HTTP connection stays open; longer than the proxy in front keeps its own, or some of its requests get 502.",
  );

/** The longest that the head of a request may take: it fits into a packet or two. As uWebSockets.js has it, nearly. */
export const HTTP_HEAD_MS = 30_000;

/** A body of the most that is taken comes in time at 1.4 Mbit/s. */
export const HTTP_REQUEST_MS = 60_000;

export const httpRequestMs = durationMs({ minMs: 1_000, maxMs: 3_600_000 })
  .default(HTTP_REQUEST_MS)
  .describe(
    "How long an HTTP request may take to come, head and body, before its connection is closed; a head 30 s at most.",
  );

export const logLevel = z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(", ")}` });

/** A whole number within bounds, both included. */
export function wholeNumber({ min, max }: { min: number; max: number }) {
  const problem = { error: `must be a number between ${min} and ${max}` };
  return z.preprocess(numberIn, z.int(problem).min(min, problem).max(max, problem));
}

/** true and false, also written 1 and 0. */
export const flag = z.preprocess(
  (value) => {
    const text = String(value).toLowerCase();
    if (text === "true" || text === "1") return true;
    return text === "false" || text === "0" ? false : value;
  },
  z.boolean({ error: "must be true or false" }),
);

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration as milliseconds, written `500ms`, `3s`, `2m`, `1h`, `7d`; a bare number is milliseconds. */
export function durationMs({ minMs, maxMs }: { minMs: number; maxMs: number }) {
  const problem = {
    error: `must be a duration like 500ms, 3s, 2m or 1h, between ${minMs} ms and ${maxMs} ms`,
  };
  return z.preprocess(millisecondsIn, z.int(problem).min(minMs, problem).max(maxMs, problem));
}

/** An absolute url with one of `schemes`, without a slash at its end. */
export function url(schemes: readonly [string, ...string[]]) {
  const problem = `must be a url that starts with ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`;
  return z
    .string({ error: problem })
    .refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1)), {
      error: problem,
    })
    .transform((text) => text.replace(/\/+$/, ""));
}

/**
 * API keys and their secrets as livekit-server takes them: lines (or a comma-separated list) of `key: secret`, or a YAML
 * map. Short secrets are let through, since `devkey: secret` is what everybody starts with.
 */
export const keys = z
  .unknown()
  .transform((value, context): ReadonlyMap<string, string> => {
    const pairs = pairsIn(value);
    const problem = typeof pairs === "string" ? pairs : problemOfPairs(pairs);
    if (typeof pairs !== "string" && problem === undefined) return new Map(pairs);
    context.addIssue({ code: "custom", message: problem ?? "must be usable" });
    return z.NEVER;
  })
  .meta({ secret: true });

function pairsIn(value: unknown): [string, string][] | string {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value).map(([key, secret]) => [key, typeof secret === "string" ? secret : ""]);
  }
  if (typeof value !== "string") return 'must be lines of "key: secret"';
  const lines = value.split(/[\n,]/).filter((line) => line.trim() !== "");
  const pairs: [string, string][] = [];
  for (const [index, line] of lines.entries()) {
    const colon = line.indexOf(":");
    if (colon === -1) return `must be lines of "key: secret"; line ${index + 1} has no colon`;
    pairs.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  return pairs;
}

function problemOfPairs(pairs: [string, string][]): string | undefined {
  if (pairs.length === 0) return 'must hold at least one "key: secret"';
  for (const [index, [key, secret]] of pairs.entries()) {
    if (!/^\S{1,128}$/.test(key))
      return `must name each key in 1 to 128 characters without spaces; key ${index + 1} is not`;
    if (secret === "") return `must give each key a secret as text; key ${index + 1} has none`;
    if (pairs.findIndex(([other]) => other === key) !== index)
      return `must not name a key twice; key ${index + 1} is`;
  }
  return undefined;
}

function numberIn(value: unknown): unknown {
  return typeof value === "string" && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value;
}

function millisecondsIn(value: unknown): unknown {
  const parts = typeof value === "string" ? /^(\d{1,12})\s*(ms|s|m|h|d)?$/.exec(value.trim()) : null;
  if (parts === null) return value;
  return Number(parts[1]) * UNIT_MS[(parts[2] ?? "ms") as keyof typeof UNIT_MS];
}
