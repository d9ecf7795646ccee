/**
 * Owns the endpoints for whoever runs Muster: /healthz, /readyz, /metrics. Liveness says only that the process answers:
 * it must never depend on Redis, or an outage of Redis would get every process killed in the middle of it.
 */
import { Hono } from "hono";
import type { MetricsAccess } from "./config-fields.js";
import type { Metrics } from "./metrics.js";
import { answerMetrics } from "./metrics-door.js";

/** True when ready. False, a throw, and no answer within CHECK_DEADLINE_MS all mean not ready. */
export type ReadinessCheck = () => boolean | Promise<boolean>;

export interface OpsDeps {
  checks: Record<string, ReadinessCheck>;
  metrics: Pick<Metrics, "render" | "contentType">;
  /** Who may read metrics; absent: everybody. */
  access?: MetricsAccess | undefined;
}

const CHECK_DEADLINE_MS = 2_000;

export function createOps({ checks, metrics, access = {} }: OpsDeps): Hono {
  return new Hono()
    .get("/healthz", (context) => context.json({ status: "ok" }))
    .get("/readyz", async (context) => {
      const results = await Promise.all(
        Object.entries(checks).map(async ([name, check]) => ({ name, isReady: await passes(check) })),
      );
      const failing = results.filter(({ isReady }) => !isReady).map(({ name }) => name);
      return failing.length === 0
        ? context.json({ status: "ready" })
        : context.json({ status: "not ready", failing }, 503);
    })
    .get("/metrics", (context) =>
      access.metricsPort === undefined
        ? answerMetrics(context.req.raw, { metrics, access })
        : context.text("metrics have a port of their own: MUSTER_METRICS_PORT\n", 404),
    );
}

async function passes(check: ReadinessCheck): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), CHECK_DEADLINE_MS);
  });
  // A check that cannot be made is one that fails; its reason is the business of what it checks, and logged there.
  const answer = Promise.resolve()
    .then(check)
    .catch(() => false);
  const isReady = await Promise.race([answer, deadline]);
  clearTimeout(timer);
  return isReady;
}
