/**
 * Measures the requests that an api answers: how many, how they ended, how long they took. Owns how one is labelled: by
 * the route as the API describes it, never by its path, which holds ids and whatever a stranger writes there.
 */

import type { Metrics } from "@muster/runtime/metrics";

/** Of whatever is no route of ours. */
export const NO_ROUTE = "(none)";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export interface HttpMeter {
  /** Runs `work`, whose answer counts under `route`. */
  answer(route: string, request: Request, work: () => Promise<Response>): Promise<Response>;
  /** For whoever learns the route on the way: to be called with it once the answer is there. */
  begin(method: string): (route: string, status: number) => void;
}

export function httpMeter(metrics: Metrics): HttpMeter {
  const requests = metrics.counter("http_requests_total");
  const durations = metrics.histogram("http_request_duration_seconds");
  const underWay = metrics.gauge("http_requests_under_way");
  underWay.set({}, 0);
  const begin: HttpMeter["begin"] = (method) => {
    const beganAtMs = performance.now();
    underWay.add({}, 1);
    return (route, status) => {
      underWay.add({}, -1);
      durations.observe({ route }, (performance.now() - beganAtMs) / 1_000);
      requests.add({ route, method: METHODS.has(method) ? method : "other", status: String(status) });
    };
  };
  return {
    begin,
    async answer(route, request, work) {
      const ended = begin(request.method);
      try {
        const response = await work();
        ended(route, response.status);
        return response;
      } catch (error) {
        ended(route, 500);
        throw error;
      }
    },
  };
}
