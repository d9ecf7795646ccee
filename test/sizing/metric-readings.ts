/** Reads what a service says at /metrics: sums of a metric, histograms as they grew, and what a scrape costs. */
import type { ServiceProcess } from "../kit/service-process.js";
import { cpuMsOf } from "./process-readings.js";

const SCRAPES = 20;

export async function scrape(service: ServiceProcess): Promise<string> {
  const response = await fetch(`${service.url}/metrics`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${service.name} answered ${response.status} to a scrape: ${text}`);
  return text;
}

/** The sum of a metric over all its labels, or over those whose line has `label` in it; 0 when there is none. */
export function sumIn(text: string, metric: string, label = ""): number {
  let sum = 0;
  for (const line of text.split("\n")) {
    const isIt = line.startsWith(`${metric} `) || (line.startsWith(`${metric}{`) && line.includes(label));
    if (isIt) sum += Number(line.slice(line.lastIndexOf(" ")));
  }
  return sum;
}

/** Of a histogram summed over its labels: how many were at most as much, by upper bound, in rising order. */
export type Buckets = readonly (readonly [bound: number, count: number])[];

export function bucketsIn(text: string, metric: string): Buckets {
  const counts = new Map<number, number>();
  for (const [, bound = "", count] of text.matchAll(
    new RegExp(`^${metric}_bucket\\{.*?le="([^"]+)".*?\\} (\\S+)$`, "gm"),
  )) {
    const upper = bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound);
    counts.set(upper, (counts.get(upper) ?? 0) + Number(count));
  }
  return [...counts].sort(([a], [b]) => a - b);
}

/** What came between two readings of a histogram. */
export function growthOf(before: Buckets, after: Buckets): Buckets {
  const earlier = new Map(before);
  return after.map(([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)]);
}

/** As Prometheus' histogram_quantile: evenly spread within a bucket; beyond the last bound, that bound. */
export function quantileOf(buckets: Buckets, quantile: number): number {
  const rank = quantile * (buckets.at(-1)?.[1] ?? 0);
  let [lower, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank && count > below)
      return Number.isFinite(bound) ? lower + ((bound - lower) * (rank - below)) / (count - below) : lower;
    [lower, below] = [bound, count];
  }
  return Number.NaN;
}

export interface ScrapeCost {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly kiB: number;
}

/** Means of some scrapes, one after the other. */
export async function measureScrapes(service: ServiceProcess): Promise<ScrapeCost> {
  const startedAtMs = performance.now();
  const before = cpuMsOf(service.pid);
  let bytes = 0;
  for (let scrapes = 0; scrapes < SCRAPES; scrapes++) bytes += Buffer.byteLength(await scrape(service));
  return {
    cpuMs: (cpuMsOf(service.pid) - before) / SCRAPES,
    wallMs: (performance.now() - startedAtMs) / SCRAPES,
    kiB: bytes / SCRAPES / 1_024,
  };
}
