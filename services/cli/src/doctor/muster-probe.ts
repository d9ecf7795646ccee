/** What a Muster that runs says of itself: whether it is ready, which service and version it is, and its counters. */

import type { MetricsAccess } from "@muster/runtime/config-fields";
import { type Probed, type ProbeOptions, probe } from "./http-probe.js";

export interface MusterSays {
  /** "gateway"; undefined: what answers is no Muster. */
  service: string | undefined;
  version: string;
  /** The lines of its metrics. */
  metrics: readonly string[];
}

export async function readiness(url: string, options: ProbeOptions): Promise<Probed> {
  return await probe(`${url}/readyz`, options);
}

/** undefined when nothing answers there. */
export async function musterAt(
  url: string,
  options: ProbeOptions,
  { metricsPort, metricsToken }: MetricsAccess,
): Promise<MusterSays | undefined> {
  const asked = new URL(`${url}/metrics`);
  if (metricsPort !== undefined) asked.port = String(metricsPort);
  const headers = metricsToken === undefined ? {} : { authorization: `Bearer ${metricsToken}` };
  const answer = await probe(asked.href, { ...options, headers });
  if ("problem" in answer) return undefined;
  const metrics = answer.body.split("\n");
  const info = metrics.find((line) => line.startsWith("muster_build_info{")) ?? "";
  return { service: labelIn(info, "service"), version: labelIn(info, "version") ?? "", metrics };
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
