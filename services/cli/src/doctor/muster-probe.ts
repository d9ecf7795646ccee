/** What a Muster that runs says of itself: whether it is ready, which service and version it is, and its counters. */

import type { MetricsAccess } from "@muster/runtime/config-fields";
import { type Probed, type ProbeOptions, probe } from "./http-probe.js";

/** Other programs say at /healthz what they like. */
const SERVICES = new Set(["gateway", "dispatcher", "api", "standalone"]);

export interface Unread {
  why: string;
  fix?: string;
}

export interface MusterSays {
  /** "gateway"; undefined: it does not say. */
  service: string | undefined;
  /** Whether what answers is a Muster at all; one of an older version may not say which service. */
  isMuster: boolean;
  /** undefined while its metrics are not read. */
  version: string | undefined;
  /** The lines of its metrics. */
  metrics: readonly string[];
  /** Why its metrics are not read; `fix` where that is a setting at fault. undefined: they are. */
  unread: Unread | undefined;
}

export async function readiness(url: string, options: ProbeOptions): Promise<Probed> {
  return await probe(`${url}/readyz`, options);
}

/**
 * undefined when nothing answers there. /healthz says which service it is; one of an older version leaves that to its metrics,
 * which may have a port of their own. Services of one machine have a port each, and only one of those is known here.
 */
export async function musterAt(
  url: string,
  options: ProbeOptions,
  { metricsPort, metricsToken }: MetricsAccess,
): Promise<MusterSays | undefined> {
  const headers = metricsToken === undefined ? {} : { authorization: `Bearer ${metricsToken}` };
  const metricsAt = (at: string) => probe(at, { ...options, headers });
  const [health, there] = await Promise.all([probe(`${url}/healthz`, options), metricsAt(`${url}/metrics`)]);
  if ("problem" in health && "problem" in there) return undefined;
  const named = serviceIn(health);
  const isMuster = named !== undefined || isElsewhere(there) || isClosed(there);
  const unread = (unread: Unread): MusterSays => ({
    ...{ service: named, isMuster, version: undefined, metrics: [], unread },
  });
  if (isElsewhere(there)) {
    if (metricsPort === undefined)
      return unread({ why: "they have a port of their own, MUSTER_METRICS_PORT, which is not set here" });
    const own = new URL(`${url}/metrics`);
    own.port = String(metricsPort);
    const answer = await metricsAt(own.href);
    const says = readMetrics(answer);
    if (says === undefined) return unread(whyNot(own.host, answer, metricsToken));
    if (says.service === named) return says;
    return unread({
      why: `at ${own.host} (MUSTER_METRICS_PORT as it is set here) are those of the ${says.service}`,
    });
  }
  return readMetrics(there) ?? unread(whyNot(new URL(url).host, there, metricsToken));
}

/** undefined: these are no Muster's metrics. */
function readMetrics(answer: Probed): MusterSays | undefined {
  if ("problem" in answer) return undefined;
  const metrics = answer.body.split("\n");
  const info = metrics.find((line) => line.startsWith("muster_build_info{"));
  if (info === undefined) return undefined;
  return {
    ...{ service: labelIn(info, "service"), isMuster: true, version: labelIn(info, "version") },
    ...{ metrics, unread: undefined },
  };
}

function whyNot(host: string, answer: Probed, metricsToken: string | undefined): Unread {
  if ("problem" in answer)
    return { why: `${host} does not answer: ${answer.problem} (MUSTER_METRICS_PORT as it is set here)` };
  if (answer.status !== 401) return { why: `${host} answers ${answer.status}, and no metrics` };
  const here = metricsToken === undefined ? "is not set here" : "is another one here than there";
  return {
    why: `${host} answers 401, and MUSTER_METRICS_TOKEN ${here}`,
    fix: "MUSTER_METRICS_TOKEN=<as at the service>",
  };
}

/** As answerMetrics says it. */
function isClosed(answer: Probed): boolean {
  return !("problem" in answer) && answer.status === 401 && answer.body.includes("MUSTER_METRICS_TOKEN");
}

/** As createOps says it where metrics have a port of their own. */
function isElsewhere(answer: Probed): boolean {
  return !("problem" in answer) && answer.status === 404 && answer.body.includes("MUSTER_METRICS_PORT");
}

function serviceIn(answer: Probed): string | undefined {
  if ("problem" in answer) return undefined;
  try {
    const { service } = JSON.parse(answer.body) as { service?: unknown };
    return typeof service === "string" && SERVICES.has(service) ? service : undefined;
  } catch {
    return undefined;
  }
}

/** The sum over its labels; by reason where one is asked for. */
export function counterIn({ metrics }: MusterSays, name: string, reason?: string): number {
  return metrics
    .filter((line) => line.startsWith(`muster_${name}{`) || line.startsWith(`muster_${name} `))
    .filter((line) => reason === undefined || labelIn(line, "reason") === reason)
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1) ?? 0), 0);
}

function labelIn(line: string, label: string): string | undefined {
  return new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1];
}
