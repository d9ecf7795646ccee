/**
 * Which part answers which path. Owns the answers to paths that are nobody's: one clear line each, and where a media
 * server was looked for, that there is none here. Paths under /twirp/ and /v1/ are refused in the form of their API.
 */

import { NO_MEDIA } from "./no-media.js";

export interface FrontDoorDeps {
  twirp(request: Request, path: string): Promise<Response>;
  rest(request: Request): Promise<Response>;
  ops(request: Request): Promise<Response>;
}

const OPS_PATHS = new Set(["/healthz", "/readyz", "/metrics"]);

export function createFrontDoor({
  twirp,
  rest,
  ops,
}: FrontDoorDeps): (request: Request) => Promise<Response> {
  return async (request) => {
    const path = new URL(request.url).pathname;
    if (path.startsWith("/twirp/")) return await twirp(request, path);
    if (path.startsWith("/v1/")) return await rest(request);
    if (OPS_PATHS.has(path)) return await ops(request);
    // As livekit-server answers; probes of its Helm chart ask for it.
    if (path === "/" && (request.method === "GET" || request.method === "HEAD")) return line(200, "OK");
    if (path === "/rtc" || path.startsWith("/rtc/")) return line(404, NO_MEDIA);
    return line(
      404,
      `nothing is at ${request.method} ${path}; the REST API is described at /v1/openapi.json`,
    );
  };
}

function line(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
