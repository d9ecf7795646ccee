/**
 * How large a body a REST route takes. One that is announced as too large is not touched, and one that is not announced
 * is read up to the bound and then let go: the transport drains the rest, so that its sender gets to see the refusal.
 */

import { createMiddleware } from "hono/factory";
import { readBody } from "../request-body.js";
import type { RestEnv } from "./context.js";

export function bodyBound(boundOf: (path: string) => number) {
  return createMiddleware<RestEnv>(async (c, next) => {
    const request = c.req.raw;
    if (request.method !== "GET" && request.method !== "HEAD") {
      const body = await readBody(request, boundOf(c.req.path));
      const init = body.byteLength === 0 ? {} : { body: Buffer.from(body) };
      c.req.raw = new Request(request.url, { method: request.method, headers: request.headers, ...init });
    }
    await next();
  });
}
