/**
 * Owns the endpoints for whoever runs Muster: /healthz, /readyz, /metrics. Liveness says only that the process answers:
 * it must never depend on Redis, or an outage of Redis would get every process killed in the middle of it.
 */
import { Hono } from "hono";
import type { MetricsAccess } from "./config-fields.js";
import type { Metrics } from "./metrics.js";
import { answerMetrics } from "./metrics-door.js";

/** True when ready. False, why not in words, a throw, and no answer within CHECK_DEADLINE_MS all mean not ready. */
export type ReadinessCheck = () => boolean | string | Promise<boolean | string>;

export interface OpsDeps {
  checks: Record<string, ReadinessCheck>;
  metrics: Pick<Metrics, "render" | "contentType" | "service">;
  /** Who may read metrics; absent: everybody. */
  access?: MetricsAccess | undefined;
}

const CHECK_DEADLINE_MS = 2_000;

export function createOps({ checks, metrics, access = {} }: OpsDeps): Hono {
  return (
    new Hono()
      // The service by name: metrics name it too, and may be closed to who asks.
      .get("/healthz", (context) => context.json({ status: "ok", service: metrics.service }))
      .get("/readyz", async (context) => {
        const results = await Promise.all(
          Object.entries(checks).map(async ([name, check]) => ({ name, verdict: await verdictOf(check) })),
        );
        const failing = results.filter(({ verdict }) => verdict !== true);
        if (failing.length === 0) return context.json({ status: "ready" });
        const reasons = failing.flatMap(({ name, verdict }) =>
          typeof verdict === "string" ? [[name, verdict]] : [],
        );
        return context.json(
          {
            ...{ status: "not ready", failing: failing.map(({ name }) => name) },
            ...(reasons.length > 0 && { reasons: Object.fromEntries(reasons) }),
          },
          503,
        );
      })
      .get("/metrics", (context) =>
        access.metricsPort === undefined
          ? answerMetrics(context.req.raw, { metrics, access })
          : context.text("metrics have a port of their own: MUSTER_METRICS_PORT\n", 404),
      )
  );
}

async function verdictOf(check: ReadinessCheck): Promise<boolean | string> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), CHECK_DEADLINE_MS);
  });
  // A check that cannot be made is one that fails; its reason is the business of what it checks, and logged there.
  const answer = Promise.resolve()
    .then(check)
    .catch(() => false as const);
  const verdict = await Promise.race([answer, deadline]);
  clearTimeout(timer);
  return verdict;
}
