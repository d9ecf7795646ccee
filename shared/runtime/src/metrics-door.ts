/**
 * GET /metrics: for whom, and on which port. On a port of its own it is on no other: what stands before the service need
 * not know the path to keep it from strangers.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { MetricsAccess } from "./config-fields.js";
import type { Log } from "./log.js";
import type { Metrics } from "./metrics.js";
import { type HttpServer, serveHttp } from "./serve-http.js";

export interface MetricsDoorDeps {
  metrics: Pick<Metrics, "render" | "contentType">;
  access: MetricsAccess;
}

export interface ServeMetricsDeps extends MetricsDoorDeps {
  host: string;
  log: Log;
}

/** Checks the token, where there is one. */
export async function answerMetrics(
  request: Request,
  { metrics, access }: MetricsDoorDeps,
): Promise<Response> {
  const { metricsToken } = access;
  if (metricsToken !== undefined && !brings(request, metricsToken))
    return new Response("metrics are read with the token of MUSTER_METRICS_TOKEN\n", {
      status: 401,
      headers: { "www-authenticate": "Bearer" },
    });
  return new Response(await metrics.render(), { headers: { "content-type": metrics.contentType } });
}

/** undefined: no port of its own is set. Throws DispatchError when it cannot be listened on. */
export async function serveMetrics(deps: ServeMetricsDeps): Promise<HttpServer | undefined> {
  const { metricsPort } = deps.access;
  if (metricsPort === undefined) return undefined;
  return await serveHttp({
    ...{ host: deps.host, port: metricsPort, log: deps.log, portSetting: "MUSTER_METRICS_PORT" },
    fetch(request) {
      const isMetrics = new URL(request.url).pathname === "/metrics";
      if (!isMetrics || (request.method !== "GET" && request.method !== "HEAD"))
        return new Response("only GET /metrics is here\n", { status: 404 });
      return answerMetrics(request, deps);
    },
  });
}

function brings(request: Request, token: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  // Of one length, so that time tells nothing.
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
