/**
 * Refuses an address whose percent-encoding is none, or is not of UTF-8: it would be looked up as another text, and found
 * to be nothing. Named is the parameter, of the query or of the path.
 */

import { DispatchError } from "@muster/domain/errors";
import { createMiddleware } from "hono/factory";
import type { RestEnv } from "./context.js";
import type { RouteTable } from "./known-parameters.js";

/** @throws DispatchError `invalid_argument` */
export function percentEncoding(routes: RouteTable) {
  return createMiddleware<RestEnv>(async (c, next) => {
    const route = c.req.url.includes("%") ? routes.of(c) : undefined;
    if (route !== undefined) {
      const { pathname, search } = new URL(c.req.url);
      const names = route.name.replace(/^[A-Z]+ /, "").split("/");
      for (const [at, text] of pathname.split("/").entries())
        refuseMalformed(text, names[at]?.replace(/^\{(\w+)\}$/, "$1") ?? "path");
      // Names are known ones here, and need no encoding.
      for (const pair of search.slice(1).split("&")) {
        const [name = "", ...value] = pair.split("=");
        refuseMalformed(value.join("="), name);
      }
    }
    await next();
  });
}

function refuseMalformed(text: string, field: string): void {
  try {
    decodeURIComponent(text);
  } catch {
    throw new DispatchError(
      "invalid_argument",
      "has percent-encoding that is not of UTF-8; a percent sign itself is written %25",
      field,
    );
  }
}
