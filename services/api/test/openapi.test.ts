/** The OpenAPI document: valid in itself, and exactly what the app answers. */

import { PARTICIPANT_KINDS } from "@muster/domain/room";
import { systemClock as clock } from "@muster/runtime/clock";
import { createMetrics } from "@muster/runtime/metrics";
import { beforeAll, expect, test } from "vitest";
import { httpMeter } from "../src/http-meter.js";
import type { RestAppDeps } from "../src/rest/rest-app.js";
import { createRestApp } from "../src/rest/rest-app.js";
import { WholeOrder } from "../src/rest/schemas.js";
import { keys, policy, silent } from "./kit.js";

type Json = Record<string, unknown>;
interface Operation {
  operationId?: string;
  responses: Record<string, { description?: string }>;
  parameters?: { name: string; in: string; required?: boolean; schema?: Json }[];
}

// Describing calls nothing that it is given, but is counted as any request.
const meter = httpMeter(createMetrics({ service: "api" }));
const deps = { events: {}, keys, policy, meter, clock, log: silent } as unknown as RestAppDeps;
const app = createRestApp(deps);
let document: Json & { paths: Record<string, Record<string, Operation>>; components: Json };

beforeAll(async () => {
  const answer = await app.request("/v1/openapi.json");
  expect(answer.status).toBe(200);
  document = (await answer.json()) as typeof document;
});

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => ({ path, method, operation })),
  );

test("is OpenAPI 3.1 by its structure", () => {
  expect(document.openapi).toMatch(/^3\.1\.\d+$/);
  expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
  const known = [
    "openapi",
    "info",
    "jsonSchemaDialect",
    "servers",
    "paths",
    "webhooks",
    "components",
    "security",
    "tags",
  ];
  expect(Object.keys(document).filter((key) => !known.includes(key))).toEqual([]);
  for (const [path, item] of Object.entries(document.paths)) {
    expect(path).toMatch(/^\/v1\/(?!.*:)/);
    expect(Object.keys(item).filter((key) => !METHODS.includes(key) && key !== "parameters")).toEqual([]);
  }
});

test("each operation has an id of its own, described responses, and its path parameters", () => {
  const ids = operations().map(({ operation }) => operation.operationId);
  expect(ids).not.toContain(undefined);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, operation } of operations()) {
    expect(Object.keys(operation.responses).length).toBeGreaterThan(0);
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(status).toMatch(/^[1-5]\d\d$/);
      expect(response.description).toEqual(expect.any(String));
    }
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect(declared.map(({ name }) => name)).toEqual(
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
    );
    expect(declared.every(({ required }) => required === true)).toBe(true);
    for (const parameter of operation.parameters ?? []) expect(parameter.schema).toBeDefined();
  }
});

test("every reference leads somewhere, and every schema is JSON Schema 2020-12, not OpenAPI 3.0", () => {
  const types = ["string", "number", "integer", "boolean", "array", "object", "null"];
  let references = 0;
  const walk = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    const object = node as Json;
    if (typeof object.$ref === "string") {
      references += 1;
      const target = object.$ref
        .split("/")
        .slice(1)
        .reduce<unknown>((at, key) => (at as Json | undefined)?.[key], document);
      expect(target, object.$ref).toBeDefined();
    }
    expect(Object.hasOwn(object, "nullable")).toBe(false);
    expect(typeof object.exclusiveMinimum).not.toBe("boolean");
    if (
      "type" in object &&
      (typeof object.type === "string" || Array.isArray(object.type)) &&
      !("scheme" in object)
    ) {
      expect([object.type].flat().filter((type) => !types.includes(String(type)))).toEqual([]);
    }
    Object.values(object).forEach(walk);
  };
  walk(document);
  expect(references).toBeGreaterThan(10);
});

test("every security requirement names a scheme", () => {
  const schemes = Object.keys((document.components.securitySchemes ?? {}) as Json);
  const required = [document, ...operations().map(({ operation }) => operation as unknown as Json)].flatMap(
    ({ security }) => ((security ?? []) as Json[]).flatMap(Object.keys),
  );
  expect(required.length).toBeGreaterThan(0);
  expect(required.filter((name) => !schemes.includes(name))).toEqual([]);
});

test("has every route that the app answers, and no other", () => {
  const answered = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
  const described = operations().map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  expect([...new Set(answered)].sort()).toEqual(described.sort());
  expect(described).toEqual([
    "DELETE /v1/deployment-splits",
    "DELETE /v1/drains/{id}",
    "DELETE /v1/orders/{id}",
    "DELETE /v1/placement-policies",
    "DELETE /v1/pools/{id}",
    "DELETE /v1/room-configurations/{id}",
    "DELETE /v1/rules/{id}",
    "GET /v1/deployment-splits",
    "GET /v1/drains",
    "GET /v1/drains/{id}",
    "GET /v1/events",
    "GET /v1/events/dead",
    "GET /v1/jobs",
    "GET /v1/jobs/{id}",
    "GET /v1/jobs/{id}/explain",
    "GET /v1/openapi.json",
    "GET /v1/orders",
    "GET /v1/orders/{id}",
    "GET /v1/placement-policies",
    "GET /v1/pools",
    "GET /v1/room-configurations",
    "GET /v1/room-configurations/{id}",
    "GET /v1/rules",
    "GET /v1/rules/{id}",
    "GET /v1/scaling",
    "GET /v1/scaling/{agent}",
    "GET /v1/workers",
    "GET /v1/workers/{id}",
    "PATCH /v1/orders/{id}",
    "POST /v1/drains",
    "POST /v1/events/dead/replay",
    "POST /v1/events/dead/{id}/replay",
    "POST /v1/jobs/{id}/terminate",
    "POST /v1/orders",
    "POST /v1/orders/{id}/hold",
    "POST /v1/orders/{id}/release",
    "POST /v1/rooms",
    "POST /v1/rules/dry-run",
    "POST /v1/workers/{id}/reinstate",
    "PUT /v1/deployment-splits",
    "PUT /v1/placement-policies",
    "PUT /v1/room-configurations/{id}",
    "PUT /v1/rules/{id}",
    "PUT /v1/workers/{id}/labels",
  ]);
});

test("a rule's orders and a configuration's agents take the very fields of an order, without its room", () => {
  const schemas = document.components.schemas as Record<string, Json & { properties: Record<string, Json> }>;
  const { room: _room, ...fields } = schemas.NewOrder?.properties ?? {};
  expect(schemas.OrderTemplate).toMatchObject({ required: ["agent_name"], additionalProperties: false });
  expect(schemas.OrderTemplate?.properties).toEqual(fields);
  const templates = {
    type: "array",
    minItems: 1,
    maxItems: 32,
    items: { $ref: "#/components/schemas/OrderTemplate" },
  };
  expect(schemas.RuleBody).toMatchObject({
    ...{ required: ["when"], additionalProperties: false },
    properties: {
      enabled: { type: "boolean", default: true },
      orders: templates,
      configuration: { type: "string" },
    },
  });
  expect(schemas.RoomConfigurationBody).toMatchObject({
    ...{ required: ["agents"], additionalProperties: false },
    properties: { agents: templates, metadata: { type: "string" } },
  });
  expect(schemas.RoomCondition?.properties).toMatchObject({
    room_pattern: { type: "string" },
    metadata: { type: "object" },
  });
  for (const name of ["RuleBody", "RoomCondition", "RoomConfigurationBody", "NewRoom", "RuleDryRun"])
    for (const [field, schema] of Object.entries(schemas[name]?.properties ?? {}))
      expect(schema.description ?? schema.$ref, `${name}.${field}`).toEqual(expect.any(String));
});

test("says all of what an order takes, and how a repeated call is known", () => {
  const operation = document.paths["/v1/orders"]?.post;
  expect(operation?.parameters?.map(({ name, in: place, required }) => [name, place, required])).toEqual([
    ["idempotency-key", "header", false],
    ["x-livekit-request-id", "header", false],
  ]);
  expect(Object.keys(operation?.responses ?? {}).sort()).toEqual([
    "200",
    "201",
    "400",
    "401",
    "403",
    "409",
    "413",
    "500",
    "503",
  ]);
  const schemas = document.components.schemas as Record<string, Json & { properties: Record<string, Json> }>;
  expect(schemas.NewOrder).toMatchObject({
    type: "object",
    required: ["room", "agent_name"],
    additionalProperties: false,
    properties: {
      ...{ room: { type: "string" }, agent_name: { type: "string" }, namespace: { type: "string" } },
      ...{ deployment: { type: "string", default: "" }, metadata: { type: "string", default: "" } },
      attributes: { type: "object", additionalProperties: { type: "string" } },
      priority: { type: "integer", minimum: 0, maximum: 1_000, default: 500 },
      deadline_ms: { type: "integer", minimum: 1_000, maximum: 30 * 24 * 3_600_000 },
      restart_policy: { enum: ["on_failure", "never"], default: "on_failure" },
      max_attempts: { type: "integer", minimum: 1, maximum: 100 },
      target: expect.anything(),
    },
  });
  expect(schemas.Target).toMatchObject({
    required: ["for"],
    additionalProperties: false,
    properties: {
      for: { enum: ["room", "publishers", "participants"] },
      identities: { type: "array", items: { type: "string" } },
      identity_pattern: { type: "string" },
      attributes: { type: "object", additionalProperties: { type: "string" } },
      kinds: { type: "array", items: { enum: PARTICIPANT_KINDS } },
    },
  });
  expect(Object.keys(schemas.WholeOrder?.properties ?? {}).sort()).toEqual(
    Object.keys(WholeOrder.shape).sort(),
  );
});
