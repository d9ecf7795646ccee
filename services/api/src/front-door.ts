/**
 * Which part answers which path. Owns the answers to paths that are nobody's: one clear line each, and where a media
 * server was looked for, where there is one. Paths under /twirp/ and /v1/ are refused in the form of their API.
 */

import { type HttpMeter, NO_ROUTE } from "./http-meter.js";
import { mediaElsewhere, NO_MEDIA } from "./no-media.js";
import type { LivekitProxy } from "./proxy/livekit-proxy.js";
import type { WebhookDoor } from "./webhook/webhook-door.js";

export interface FrontDoorDeps {
  twirp(request: Request, path: string): Promise<Response>;
  rest(request: Request): Promise<Response>;
  ops(request: Request): Promise<Response>;
  /** Where calls of LiveKit's other services go; without it they are refused as Twirp's. */
  livekit?: { url: string; forward: LivekitProxy };
  webhook?: WebhookDoor;
  /** Of all but `rest`, which measures by itself, and `ops`, where probes and scrapes would hide what counts. */
  meter: Pick<HttpMeter, "answer">;
}

export type FrontDoor = (request: Request, remoteAddress: string | undefined) => Promise<Response>;

const OPS_PATHS = new Set(["/healthz", "/readyz", "/metrics"]);
/** As Twirp writes them. Other spellings of a path are not passed on: livekit-server might read our service in one. */
const FOREIGN_CALL = /^\/twirp\/(?!livekit\.AgentDispatchService\/)[\w.]+\/\w+$/;

/** Calls of our service are known by name; any other one is a stranger's word. */
const OWN_CALL = /^\/twirp\/livekit\.AgentDispatchService\/(CreateDispatch|DeleteDispatch|ListDispatch)$/;

export function createFrontDoor({ twirp, rest, ops, livekit, webhook, meter }: FrontDoorDeps): FrontDoor {
  const media = livekit === undefined ? NO_MEDIA : mediaElsewhere(livekit.url);
  return async (request, remoteAddress) => {
    const path = new URL(request.url).pathname;
    if (livekit !== undefined && FOREIGN_CALL.test(path))
      return await meter.answer("livekit", request, () => livekit.forward(request, remoteAddress));
    if (path.startsWith("/twirp/"))
      return await meter.answer(OWN_CALL.test(path) ? path : NO_ROUTE, request, () => twirp(request, path));
    if (path === "/webhook" && webhook !== undefined)
      return await meter.answer(path, request, () => webhook(request));
    if (path.startsWith("/v1/")) return await rest(request);
    if (OPS_PATHS.has(path)) return await ops(request);
    // As livekit-server answers; probes of its Helm chart ask for it.
    if (path === "/" && (request.method === "GET" || request.method === "HEAD")) return line(200, "OK");
    if (path === "/rtc" || path.startsWith("/rtc/")) return line(404, media);
    return line(
      404,
      `nothing is at ${request.method} ${path}; the REST API is described at /v1/openapi.json`,
    );
  };
}

function line(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
