/**
 * A call for each answer that the OpenAPI document says an operation gives. What every operation has in common (no token,
 * one that is not enough, no Redis) is made of its first call. Who adds an operation adds its calls.
 */

import type { LivekitStandIn } from "@muster/test/kit/livekit-stand-in";
import { drainId } from "../src/drain-target.js";
import type { RunningApi } from "./kit.js";

/** What there is to be asked about. */
export interface Scene {
  api: RunningApi;
  livekit: LivekitStandIn;
  order: string;
  /** One that was taken back. */
  overOrder: string;
  job: string;
  worker: string;
  /** Of one that no receiver took. */
  deadEvent: string;
  /** A namespace, as callers name it, that has as many drains as it may. */
  fullNamespace: string;
}

/** The id of a rule and of a room configuration that are there. */
export const KEPT = "kept";
export const TEMPLATE = { agent_name: "agent" };
export const RULE = { when: { room_pattern: "walk-*" }, orders: [TEMPLATE] };

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

const put = (path: string, body: unknown, headers: Record<string, string> = {}): Call => ({
  ...{ path, method: "PUT", body, headers },
});
const remove = (path: string, headers: Record<string, string> = {}): Call => ({
  ...{ path, method: "DELETE", headers },
});
/** Long ago. */
const STALE = { "if-match": "1" };

function definitionCalls(path: string, body: object): Record<"put" | "list" | "read" | "remove", Calls> {
  return {
    put: {
      201: () => put(`${path}/walked`, body),
      200: () => put(`${path}/walked`, body),
      400: () => put(`${path}/walked`, { ...body, odd: true }),
      412: () => put(`${path}/${KEPT}`, { ...body, ...OTHER[path] }, STALE),
      413: () => put(`${path}/walked`, { ...body, odd: TOO_LARGE }),
    },
    list: { 200: () => ({ path }), 400: () => ({ path: `${path}?limit=0` }) },
    read: {
      200: () => ({ path: `${path}/${KEPT}` }),
      400: () => ({ path: `${path}/%20` }),
      404: () => ({ path: `${path}/nobody` }),
    },
    remove: {
      200: () => remove(`${path}/walked`),
      400: () => remove(`${path}/%20`),
      412: () => remove(`${path}/${KEPT}`, STALE),
    },
  };
}
/** What makes it another one than the one that is kept. */
const OTHER: Record<string, object> = {
  "/v1/rules": { enabled: false },
  "/v1/room-configurations": { metadata: "other" },
};
const ruleCalls = definitionCalls("/v1/rules", RULE);
const configurationCalls = definitionCalls("/v1/room-configurations", { agents: [TEMPLATE] });
const room = (body: object): Call => ({
  ...{ path: "/v1/rooms", method: "POST", body: { name: "walked-room", ...body } },
});
const drain = (target: object, reason = ""): Call => ({
  ...{ path: "/v1/drains", method: "POST", body: { target, reason } },
});
/** The drain of DRAINED, whose id follows from that; over by the end of its calls. */
const DRAINED = { kind: "deployment", agent_name: "nobody", deployment: "walked" };
const DRAIN = drainId("default", { kind: "deployment", agentName: "nobody", value: "walked" });
const dryRun = (body: object): Call => ({ path: "/v1/rules/dry-run", method: "POST", body });
const changed = (id: string, body: object): Call => ({ path: `/v1/orders/${id}`, method: "PATCH", body });

const poolId = (name: string) => Buffer.from(name).toString("base64url");

const SPLIT = {
  candidate: "v2",
  steps: [{ after_ms: 0, percent: 10 }],
  rollback: { max_bad_percent: 10, min_jobs: 5 },
};

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
  reinstateWorker: {
    200: ({ worker }) => ({ path: `/v1/workers/${worker}/reinstate`, method: "POST" }),
    400: ({ worker }) => ({ path: `/v1/workers/${worker}/reinstate?namespace=/`, method: "POST" }),
    404: () => ({ path: "/v1/workers/AW_nobody/reinstate", method: "POST" }),
  },
  putWorkerLabels: {
    200: ({ worker }) => put(`/v1/workers/${worker}/labels`, { labels: { region: "eu" } }),
    400: ({ worker }) => put(`/v1/workers/${worker}/labels`, { labels: { region: 7 } }),
    404: () => put("/v1/workers/AW_nobody/labels", { labels: {} }),
    413: ({ worker }) => put(`/v1/workers/${worker}/labels`, { labels: { region: TOO_LARGE } }),
  },
  beginDrain: {
    201: () => drain(DRAINED),
    200: () => drain(DRAINED),
    400: () => drain({ kind: "worker" }),
    404: () => drain({ kind: "worker", worker: "AW_nobody" }),
    412: ({ fullNamespace: namespace }) => {
      const { body, ...call } = drain({ kind: "gateway", gateway: "NO_more" });
      return { ...call, body: { ...(body as object), namespace } };
    },
    413: () => drain(DRAINED, TOO_LARGE),
  },
  listDrains: {
    200: () => ({ path: "/v1/drains" }),
    400: () => ({ path: "/v1/drains?namespace=/" }),
  },
  readDrain: {
    200: () => ({ path: `/v1/drains/${DRAIN}` }),
    400: () => ({ path: "/v1/drains/%20" }),
    404: () => ({ path: "/v1/drains/DR_nobody" }),
  },
  undoDrain: {
    200: () => remove(`/v1/drains/${DRAIN}`),
    400: () => remove("/v1/drains/%20"),
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
  explainJob: {
    200: ({ job }) => ({ path: `/v1/jobs/${job}/explain` }),
    400: ({ job }) => ({ path: `/v1/jobs/${job}/explain?namespace=/` }),
    404: () => ({ path: `/v1/jobs/${NOBODY}/explain` }),
  },
  // While it lives: what follows ends it.
  changeOrder: {
    200: ({ order: id }) => changed(id, { priority: 7 }),
    400: ({ order: id }) => changed(id, { room: "another" }),
    404: () => changed("AD_nobody", { priority: 7 }),
    412: ({ overOrder: id }) => changed(id, { priority: 7 }),
    413: ({ order: id }) => changed(id, { metadata: TOO_LARGE }),
  },
  holdOrder: {
    200: ({ order: id }) => ({ path: `/v1/orders/${id}/hold`, method: "POST" }),
    400: () => ({ path: "/v1/orders/%20/hold", method: "POST" }),
    404: () => ({ path: "/v1/orders/AD_nobody/hold", method: "POST" }),
    412: ({ overOrder: id }) => ({ path: `/v1/orders/${id}/hold`, method: "POST" }),
  },
  releaseOrder: {
    200: ({ order: id }) => ({ path: `/v1/orders/${id}/release`, method: "POST" }),
    400: () => ({ path: "/v1/orders/%20/release", method: "POST" }),
    404: () => ({ path: "/v1/orders/AD_nobody/release", method: "POST" }),
    412: ({ overOrder: id }) => ({ path: `/v1/orders/${id}/release`, method: "POST" }),
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
  listDeploymentSplits: {
    200: () => ({ path: "/v1/deployment-splits" }),
    400: () => ({ path: "/v1/deployment-splits?namespace=/" }),
  },
  putDeploymentSplit: {
    200: () => put("/v1/deployment-splits?agent_name=agent", SPLIT),
    400: () => put("/v1/deployment-splits?agent_name=agent", { ...SPLIT, candidate: "" }),
    413: () => put("/v1/deployment-splits?agent_name=agent", { ...SPLIT, candidate: TOO_LARGE }),
  },
  deleteDeploymentSplit: {
    200: () => remove("/v1/deployment-splits?agent_name=agent"),
    400: () => remove("/v1/deployment-splits"),
  },
  listPlacementPolicies: {
    200: () => ({ path: "/v1/placement-policies" }),
    400: () => ({ path: "/v1/placement-policies?namespace=/" }),
  },
  putPlacementPolicy: {
    200: () => put("/v1/placement-policies?agent_name=agent", { strategy: "pack", max_jobs: 3 }),
    400: () => put("/v1/placement-policies", { max_load: 0 }),
    413: () => put("/v1/placement-policies", { strategy: TOO_LARGE }),
  },
  deletePlacementPolicy: {
    200: () => remove("/v1/placement-policies?agent_name=agent"),
    400: () => remove(`/v1/placement-policies?agent_name=${"x".repeat(257)}`),
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
  putRule: ruleCalls.put,
  listRules: ruleCalls.list,
  readRule: ruleCalls.read,
  deleteRule: ruleCalls.remove,
  dryRunRules: {
    200: () => dryRun({ room: "walk-1" }),
    400: () => dryRun({ room: "" }),
    413: () => dryRun({ room: "walk-1", metadata: TOO_LARGE }),
  },
  putRoomConfiguration: configurationCalls.put,
  listRoomConfigurations: configurationCalls.list,
  readRoomConfiguration: configurationCalls.read,
  deleteRoomConfiguration: configurationCalls.remove,
  createRoom: {
    200: () => room({ configuration: KEPT }),
    400: () => room({ configuration: "nobody" }),
    412: ({ livekit }) => {
      livekit.fail("CreateRoom", { kind: "twirp", status: 401, code: "unauthenticated", msg: "no" });
      return room({});
    },
    413: () => room({ metadata: TOO_LARGE }),
  },
  readScaling: {
    200: () => ({ path: "/v1/scaling/agent" }),
    400: () => ({ path: "/v1/scaling/agent?headroom=2" }),
  },
  readUnnamedScaling: {
    200: () => ({ path: "/v1/scaling" }),
    400: () => ({ path: "/v1/scaling?type=odd" }),
  },
  listPools: {
    200: () => ({ path: "/v1/pools" }),
    400: () => ({ path: "/v1/pools?limit=0" }),
  },
  forgetPool: {
    200: () => ({ path: `/v1/pools/${poolId("room/nobody/")}`, method: "DELETE" }),
    400: () => ({ path: "/v1/pools/room", method: "DELETE" }),
    412: () => ({ path: `/v1/pools/${poolId("room/agent/")}`, method: "DELETE" }),
  },
  readOpenApi: {
    200: () => ({ path: "/v1/openapi.json" }),
  },
};
