/**
 * What comes as a body, before anybody reads it. How large a body a REST route takes. One that is announced as too large is not touched, and one that is not announced
 * is read up to the bound and then let go: the transport drains the rest, so that its sender gets to see the refusal.
 */

import { createMiddleware } from "hono/factory";
import { readBody } from "../request-body.js";
import type { RestEnv } from "./context.js";
import type { RouteTable } from "./known-parameters.js";

/** Clients set a content type on every POST: without a body it says nothing, where none is needed. */
function headersOf(request: Request, isEmpty: boolean, isNeeded: boolean): Headers {
  if (!isEmpty || isNeeded) return request.headers;
  const headers = new Headers(request.headers);
  headers.delete("content-type");
  return headers;
}

export function bodyBound(boundOf: (path: string) => number, routes: Pick<RouteTable, "of">) {
  return createMiddleware<RestEnv>(async (c, next) => {
    const request = c.req.raw;
    if (request.method !== "GET" && request.method !== "HEAD") {
      const body = await readBody(request, boundOf(c.req.path));
      const isEmpty = body.byteLength === 0;
      const headers = headersOf(request, isEmpty, routes.of(c)?.needsBody === true);
      const init = isEmpty ? {} : { body: Buffer.from(body) };
      c.req.raw = new Request(request.url, { method: request.method, headers, ...init });
    }
    await next();
  });
}
