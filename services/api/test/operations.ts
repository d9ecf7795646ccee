/**
 * A call for each answer that the OpenAPI document says an operation gives. What every operation has in common (no token,
 * one that is not enough, no Redis) is made of its first call. Who adds an operation adds its calls.
 */

import type { RunningApi } from "./kit.js";

/** What there is to be asked about. */
export interface Scene {
  api: RunningApi;
  order: string;
  job: string;
  worker: string;
  /** Of one that no receiver took. */
  deadEvent: string;
}

export interface Call {
  path: string;
  method?: "POST" | "PUT" | "PATCH" | "DELETE";
  /** As JSON; text as it is. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** By status. The one of 2xx is asked first, and again for the answers that all operations have. */
type Calls = Readonly<Record<number, (scene: Scene) => Call>>;

const NOBODY = "AJ_nobody";
const TOO_LARGE = "x".repeat(5 * 1024 * 1024);
const order = (body: object, key: string): Call => ({
  ...{ path: "/v1/orders", method: "POST", headers: { "idempotency-key": key } },
  body: { room: "walk", agent_name: "agent", ...body },
});

export const OPERATIONS: Readonly<Record<string, Calls>> = {
  listWorkers: {
    200: () => ({ path: "/v1/workers" }),
    400: () => ({ path: "/v1/workers?limit=0" }),
  },
  readWorker: {
    200: ({ worker }) => ({ path: `/v1/workers/${worker}` }),
    400: ({ worker }) => ({ path: `/v1/workers/${worker}?namespace=/` }),
    404: () => ({ path: "/v1/workers/AW_nobody" }),
  },
  listJobs: {
    200: () => ({ path: "/v1/jobs" }),
    400: () => ({ path: "/v1/jobs?state=odd" }),
  },
  readJob: {
    200: ({ job }) => ({ path: `/v1/jobs/${job}` }),
    400: ({ job }) => ({ path: `/v1/jobs/${job}?namespace=/` }),
    404: () => ({ path: `/v1/jobs/${NOBODY}` }),
  },
  terminateJob: {
    200: ({ job }) => ({ path: `/v1/jobs/${job}/terminate`, method: "POST", body: { reason: "done" } }),
    400: ({ job }) => ({ path: `/v1/jobs/${job}/terminate`, method: "POST", body: { reason: 7 } }),
    404: () => ({ path: `/v1/jobs/${NOBODY}/terminate`, method: "POST" }),
    413: ({ job }) => ({ path: `/v1/jobs/${job}/terminate`, method: "POST", body: { reason: TOO_LARGE } }),
  },
  createOrder: {
    201: () => order({}, "walked"),
    200: () => order({}, "walked"),
    400: () => order({ room: "" }, "walked-too"),
    409: () => order({ agent_name: "another" }, "walked"),
    413: () => order({ metadata: TOO_LARGE }, "walked-on"),
  },
  deleteOrder: {
    200: ({ order: id }) => ({ path: `/v1/orders/${id}`, method: "DELETE" }),
    400: () => ({ path: "/v1/orders/%20", method: "DELETE" }),
    404: () => ({ path: "/v1/orders/AD_nobody", method: "DELETE" }),
  },
  listOrders: {
    200: () => ({ path: "/v1/orders" }),
    400: () => ({ path: "/v1/orders?cursor=odd" }),
  },
  readOrder: {
    200: ({ order: id }) => ({ path: `/v1/orders/${id}` }),
    400: () => ({ path: "/v1/orders/%20" }),
    404: () => ({ path: "/v1/orders/AD_nobody" }),
  },
  streamEvents: {
    200: () => ({ path: "/v1/events" }),
    400: () => ({ path: "/v1/events?room=" }),
  },
  listDeadEvents: {
    200: () => ({ path: "/v1/events/dead" }),
    400: () => ({ path: "/v1/events/dead?limit=0" }),
  },
  replayDeadEvent: {
    200: ({ deadEvent }) => ({ path: `/v1/events/dead/${deadEvent}/replay`, method: "POST" }),
    400: () => ({ path: "/v1/events/dead/%20/replay", method: "POST" }),
    404: () => ({ path: "/v1/events/dead/nobody/replay", method: "POST" }),
  },
  replayDeadEvents: {
    200: () => ({ path: "/v1/events/dead/replay", method: "POST" }),
  },
  readOpenApi: {
    200: () => ({ path: "/v1/openapi.json" }),
  },
};
