/**
 * Refuses a query parameter that its route does not have, for every route in one place, by the schemas that also make the
 * OpenAPI document. A misspelt filter that is passed over lists, or deletes, everything.
 */

import type { OpenAPIHono, RouteConfig } from "@hono/zod-openapi";
import { DispatchError } from "@muster/domain/errors";
import { suggestion } from "@muster/runtime/did-you-mean";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import type { RestEnv } from "./context.js";

interface KnownRoute {
  /** As the document writes it: `GET /v1/orders/{id}`. */
  name: string;
  operation: string;
  parameters: readonly string[];
  needsBody: boolean;
}

const MAX_NAME = 64;

/** What the routes of an app say of themselves. Made when it is first asked, after all of them were added. */
export class RouteTable {
  readonly #app: Pick<OpenAPIHono<RestEnv>, "openAPIRegistry">;
  #known: Map<string, KnownRoute> | undefined;

  constructor(app: Pick<OpenAPIHono<RestEnv>, "openAPIRegistry">) {
    this.#app = app;
  }

  /** The route that answers this request; undefined: none does. */
  of(c: Context): KnownRoute | undefined {
    this.#known ??= this.#read();
    const method = c.req.method === "HEAD" ? "GET" : c.req.method;
    for (const { path } of matchedRoutes(c)) {
      const known = this.#known.get(`${method} ${path}`);
      if (known !== undefined) return known;
    }
    return undefined;
  }

  #read(): Map<string, KnownRoute> {
    const routes = this.#app.openAPIRegistry.definitions.flatMap((one) =>
      one.type === "route" ? [one.route as RouteConfig] : [],
    );
    return new Map(
      routes.map(({ method, path, request, operationId: operation = "" }) => {
        const name = `${method.toUpperCase()} ${path}`;
        // Hono writes `:id` where the document has `{id}`.
        const key = name.replace(/\{(\w+)\}/g, ":$1");
        return [
          key,
          {
            ...{ name, operation, parameters: namesOf(request?.query) },
            needsBody: request?.body?.required === true,
          },
        ];
      }),
    );
  }
}

function namesOf(schema: unknown): string[] {
  return schema === undefined ? [] : Object.keys((schema as { shape: object }).shape);
}

/** @throws DispatchError `invalid_argument` with the first unknown parameter as its field */
export function knownParameters(routes: RouteTable) {
  return createMiddleware<RestEnv>(async (c, next) => {
    const route = c.req.url.includes("?") ? routes.of(c) : undefined;
    if (route !== undefined) {
      for (const name of new URL(c.req.url).searchParams.keys()) refuseUnknown(name, route);
    }
    await next();
  });
}

function refuseUnknown(name: string, { name: route, parameters }: KnownRoute): void {
  if (parameters.includes(name)) return;
  const shown = name.slice(0, MAX_NAME);
  const known = parameters.length === 0 ? "it has none" : `known are ${parameters.join(", ")}`;
  throw new DispatchError(
    "invalid_argument",
    `is not a parameter of ${route}; ${known}${suggestion(shown, parameters)}`,
    shown,
  );
}
