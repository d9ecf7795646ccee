/**
 * The api on a port of its own. Owns the order of its end: not ready first, then no new connections, then the rest.
 */

import { serveHttp } from "@muster/runtime/serve-http";
import { type ApiDeps, createApi } from "./create-api.js";

export interface StartApiDeps extends ApiDeps {
  host: string;
  port: number;
  /** How long a connection stays open between two requests, in ms. */
  keepAliveMs?: number;
  /** How long a request may take to come, in ms. */
  requestMs?: number;
  /** How long calls are still taken after stop() made /readyz say no. */
  drainMs: number;
}

export interface RunningApi {
  readonly port: number;
  ready(): boolean;
  stop(): Promise<void>;
}

/** Throws DispatchError when the port cannot be listened on, with what to do about it. */
export async function startApi(deps: StartApiDeps): Promise<RunningApi> {
  const { host, port, keepAliveMs, requestMs, drainMs, clock, log } = deps;
  const api = createApi(deps);
  let isStopping = false;
  const http = await serveHttp({
    ...{ host, port, log },
    ...(keepAliveMs !== undefined && { keepAliveMs }),
    ...(requestMs !== undefined && { requestMs }),
    async fetch(request, remoteAddress) {
      const answer = await api.fetch(request, remoteAddress);
      // A connection kept alive would hold up the end, and keep its client from going elsewhere.
      if (isStopping) answer.headers.set("connection", "close");
      return answer;
    },
  });
  return {
    port: http.port,
    ready: () => api.ready(),
    async stop() {
      isStopping = true;
      const stopped = api.stop(); // readiness first: load balancers look away while calls are still answered
      await new Promise<void>((resolve) => void clock.setTimer(drainMs, resolve));
      await http.close(); // no new connections; what is under way ends
      await stopped;
      await api.stop(); // what came in during the drain
    },
  };
}
