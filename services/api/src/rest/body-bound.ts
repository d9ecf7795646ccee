/**
 * What comes as a body, before anybody reads it, and the bound on it: of a request that is no route's none is read. One that
 * is announced as too large is not touched, and one that is not announced is read up to the bound and then let go: the
 * transport drains the rest, so that its sender gets to see the refusal. It counts as held until the call is answered.
 */

import { createMiddleware } from "hono/factory";
import { callerName } from "../auth.js";
import type { Bodies } from "../bodies.js";
import type { RestEnv } from "./context.js";
import type { RouteTable } from "./known-parameters.js";

/** Clients set a content type on every POST: without a body it says nothing, where none is needed. */
function headersOf(request: Request, isEmpty: boolean, isNeeded: boolean): Headers {
  if (!isEmpty || isNeeded) return request.headers;
  const headers = new Headers(request.headers);
  headers.delete("content-type");
  return headers;
}

export interface BodyBoundDeps {
  bodies: Pick<Bodies, "during">;
  boundOf(path: string): number;
  routes: Pick<RouteTable, "of">;
}

export function bodyBound({ bodies, boundOf, routes }: BodyBoundDeps) {
  return createMiddleware<RestEnv>(async (c, next) => {
    const request = c.req.raw;
    const route = routes.of(c);
    if (request.method === "GET" || request.method === "HEAD") return await next();
    // What comes after this would read it.
    if (route === undefined) return await c.notFound();
    const sender = { caller: callerName(c.get("caller").claims), maxBytes: boundOf(c.req.path) };
    await bodies.during(request, sender, async (body) => {
      const isEmpty = body.byteLength === 0;
      const headers = headersOf(request, isEmpty, route.needsBody);
      c.req.raw = new Request(request.url, { method: request.method, headers, ...(!isEmpty && { body }) });
      await next();
    });
  });
}
