/**
 * Everything under /v1/: Muster's own API. Owns the token check before each route, the answer to what is no route, and
 * the OpenAPI document, which is made of the very schemas that validate.
 */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { DispatchError } from "@muster/domain/errors";
import type { Clock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import { HTTPException } from "hono/http-exception";
import { routePath } from "hono/route";
import type { JSONValue } from "hono/utils/types";
import { type ApiKeys, authenticate } from "../auth.js";
import type { Bodies } from "../bodies.js";
import { asDispatchError } from "../failure.js";
import { type HttpMeter, NO_ROUTE } from "../http-meter.js";
import { bodyBound } from "./body-bound.js";
import { changeOrderRoutes, countRefusedOrders, ORDERS_PATH } from "./change-orders.js";
import { newRoutes, type RestDeps, type RestEnv } from "./context.js";
import type { DefinitionCallsDeps } from "./definition-calls.js";
import { deploymentSplitRoutes, type SplitRouteDeps } from "./deployment-splits.js";
import { drainRoutes } from "./drains.js";
import { type EventRouteDeps, eventRoutes } from "./events.js";
import { explainRoutes } from "./explain.js";
import { holdOrderRoutes } from "./hold-orders.js";
import { jobRoutes } from "./jobs.js";
import { knownParameters, RouteTable } from "./known-parameters.js";
import { MAX_ORDER_BODY_BYTES } from "./new-order.js";
import { orderRoutes } from "./orders.js";
import { patchOrderRoutes } from "./patch-order.js";
import { percentEncoding } from "./percent-encoding.js";
import { type PlacementRouteDeps, placementPolicyRoutes } from "./placement-policies.js";
import { poolRoutes } from "./pools.js";
import { problemAnswer } from "./problem.js";
import { CONFIGURATIONS_PATH, roomConfigurationRoutes } from "./room-configurations.js";
import { ROOMS_PATH, type RoomRouteDeps, roomRoutes } from "./rooms.js";
import { routeGrants } from "./route-grants.js";
import { type DryRunDeps, dryRunRoutes } from "./rule-dry-run.js";
import { RULES_PATH, ruleRoutes } from "./rules.js";
import { scalingRoutes } from "./scaling.js";
import { wholeTexts } from "./whole-texts.js";
import { workerRoutes } from "./workers.js";

export interface RestAppDeps
  extends RestDeps,
    EventRouteDeps,
    DefinitionCallsDeps,
    DryRunDeps,
    PlacementRouteDeps,
    RoomRouteDeps,
    SplitRouteDeps {
  keys: ApiKeys;
  bodies: Pick<Bodies, "during">;
  meter: Pick<HttpMeter, "begin">;
  clock: Clock;
  log: Log;
}

/** Where metadata comes in; no other route takes more than a reason. */
const LARGE_BODY_PATHS = [ORDERS_PATH, RULES_PATH, CONFIGURATIONS_PATH, ROOMS_PATH];
const MAX_REST_BODY_BYTES = 64 * 1024;
const ALL_PATHS = "/v1/*";
const DOCUMENT_PATH = "/v1/openapi.json";

type OpenApiDocument = { openapi: string } & Record<string, JSONValue>;

const documentRoute = createRoute({
  method: "get",
  path: DOCUMENT_PATH,
  operationId: "readOpenApi",
  summary: "This document.",
  security: [],
  responses: {
    200: {
      description: "OpenAPI 3.1.",
      content: { "application/json": { schema: z.looseObject({ openapi: z.string() }) } },
    },
  },
});

export function createRestApp(deps: RestAppDeps): OpenAPIHono<RestEnv> {
  const { keys, metrics, meter, clock, log } = deps;
  const app = newRoutes();
  const routes = new RouteTable(app);
  app.use(ALL_PATHS, async (c, next) => {
    const ended = meter.begin(c.req.method);
    await next();
    const route = routePath(c, -1);
    // Hono writes `:id` where the document has `{id}`.
    ended(route === ALL_PATHS ? NO_ROUTE : route.replace(/:(\w+)/g, "{$1}"), c.res.status);
  });
  app.use(ALL_PATHS, async (c, next) => {
    if (c.req.path !== DOCUMENT_PATH) c.set("caller", authenticate(c.req.raw, keys, clock.now()));
    await next();
  });
  app.use(ALL_PATHS, knownParameters(routes));
  app.use(ALL_PATHS, percentEncoding(routes));
  app.on("POST", ORDERS_PATH, countRefusedOrders(deps));
  app.use(ALL_PATHS, routeGrants(routes));
  const boundOf = (path: string) => (isLarge(path) ? MAX_ORDER_BODY_BYTES : MAX_REST_BODY_BYTES);
  app.use(ALL_PATHS, bodyBound({ bodies: deps.bodies, boundOf, routes }));
  app.use(ALL_PATHS, wholeTexts);
  app.route("/", workerRoutes(deps));
  app.route("/", drainRoutes(deps));
  app.route("/", jobRoutes(deps));
  app.route("/", placementPolicyRoutes(deps));
  app.route("/", deploymentSplitRoutes(deps));
  app.route("/", explainRoutes(deps));
  app.route("/", orderRoutes(deps));
  app.route("/", changeOrderRoutes(deps));
  app.route("/", patchOrderRoutes(deps));
  app.route("/", holdOrderRoutes(deps));
  app.route("/", eventRoutes(deps));
  app.route("/", dryRunRoutes(deps));
  app.route("/", ruleRoutes(deps));
  app.route("/", roomConfigurationRoutes(deps));
  app.route("/", roomRoutes(deps));
  app.route("/", scalingRoutes(deps));
  app.route("/", poolRoutes(deps));
  app.openapi(documentRoute, (c) => c.json(documentOf(app), 200));
  app.openAPIRegistry.registerComponent("securitySchemes", "accessToken", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description:
      "A LiveKit access token. Reading needs video.roomList or video.roomAdmin, changing video.roomAdmin; with a " +
      "video.room and no roomList, only single jobs and orders of that room. Rules and room configurations span rooms.",
  });
  app.notFound((c) => {
    const message = `no such route: ${c.req.method} ${c.req.path}; ${DOCUMENT_PATH} lists them`;
    return problemAnswer(new DispatchError("not_found", message));
  });
  app.onError((error) => {
    const refusal = asDispatchError(refusalOf(error), log);
    metrics.refused(refusal.code);
    return problemAnswer(refusal);
  });
  return app;
}

function isLarge(path: string): boolean {
  return LARGE_BODY_PATHS.some((large) => path === large || path.startsWith(`${large}/`));
}

function documentOf(app: OpenAPIHono<RestEnv>): OpenApiDocument {
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Muster",
      version: "1",
      description:
        "What a Muster has to do and does: workers, jobs, work orders, rules by which rooms get theirs, job events. Orders are " +
        "also made by LiveKit's own clients, through livekit.AgentDispatchService.",
    },
    security: [{ accessToken: [] }],
  });
  // Plain JSON by construction; its own type has optional members, which JSON has not.
  return document as unknown as OpenApiDocument;
}

/** Hono throws errors of its own for a body that is no JSON, and for one of another type. */
function refusalOf(error: Error): Error {
  if (!(error instanceof HTTPException)) return error;
  if (error.status === 415)
    return new DispatchError("invalid_argument", "must be application/json", "content-type");
  return error.status === 400 ? new DispatchError("malformed", "is not valid JSON", "body") : error;
}
