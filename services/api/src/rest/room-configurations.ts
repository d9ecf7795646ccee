/**
 * /v1/room-configurations: several agents under one id, which a rule, a room's metadata or POST /v1/rooms names. Put,
 * read, listed and deleted here, as rules are.
 */

import { createRoute } from "@hono/zod-openapi";
import { CONFIGURATION_FIELD } from "../rules/plan-orders.js";
import { newRoutes } from "./context.js";
import { type DefinitionCallsDeps, definitionCalls } from "./definition-calls.js";
import {
  ConfigurationBody,
  type ConfigurationDefinition,
  checkConfiguration,
  DefinitionParams,
  DefinitionsQuery,
  Deleted,
  RoomConfiguration,
  RoomConfigurationPage,
  VersionHeaders,
} from "./definition-schemas.js";
import { problems } from "./problem.js";

export const CONFIGURATIONS_PATH = "/v1/room-configurations";
const ONE_CONFIGURATION_PATH = "/v1/room-configurations/{id}";

const configuration = { "application/json": { schema: RoomConfiguration } };

const putRoute = createRoute({
  method: "put",
  path: ONE_CONFIGURATION_PATH,
  operationId: "putRoomConfiguration",
  summary: "Makes a room configuration, or puts another one in its place. May be repeated.",
  description:
    "Its agents are ordered, once in each life of a room, when a rule that applies names it, when the room's metadata is " +
    `a JSON object whose field ${CONFIGURATION_FIELD} is its id as the room starts, or by POST /v1/rooms. At most 500 are ` +
    "kept, or as MUSTER_ROOM_CONFIGURATIONS says, each of at most 1 MiB of JSON, and 64 MiB all together.",
  request: {
    params: DefinitionParams,
    headers: VersionHeaders,
    body: { required: true, content: { "application/json": { schema: ConfigurationBody } } },
  },
  responses: {
    201: { description: "The room configuration, which is new.", content: configuration },
    200: {
      description: "The room configuration, in place of an earlier one or as it was.",
      content: configuration,
    },
    ...problems("invalid_argument", "failed_precondition", "too_large"),
  },
});

const listRoute = createRoute({
  method: "get",
  path: CONFIGURATIONS_PATH,
  operationId: "listRoomConfigurations",
  summary: "Room configurations, the longest unchanged first.",
  request: { query: DefinitionsQuery },
  responses: {
    200: {
      description: "A page, without metadata and attributes.",
      content: { "application/json": { schema: RoomConfigurationPage } },
    },
    ...problems("invalid_argument"),
  },
});

const readRoute = createRoute({
  method: "get",
  path: ONE_CONFIGURATION_PATH,
  operationId: "readRoomConfiguration",
  summary: "One room configuration, as it was put.",
  request: { params: DefinitionParams },
  responses: {
    200: { description: "The room configuration.", content: configuration },
    ...problems("invalid_argument", "not_found"),
  },
});

const deleteRoute = createRoute({
  method: "delete",
  path: ONE_CONFIGURATION_PATH,
  operationId: "deleteRoomConfiguration",
  summary:
    "Deletes a room configuration. Orders that it asked for stay; rules that name it order nothing by it. May be repeated.",
  request: { params: DefinitionParams, headers: VersionHeaders },
  responses: {
    200: { description: "It is not there any more.", content: { "application/json": { schema: Deleted } } },
    ...problems("invalid_argument", "failed_precondition"),
  },
});

export function roomConfigurationRoutes(deps: DefinitionCallsDeps) {
  const asked = { schema: ConfigurationBody, check: checkConfiguration };
  const configurations = definitionCalls(deps, { kind: "configurations", ...asked });
  return newRoutes()
    .openapi(putRoute, async (c) => {
      const { id } = c.req.valid("param");
      const put = await configurations.put(c.get("caller"), id, c.req.valid("json"), c.req.valid("header"));
      return put.isNew ? c.json(put.view, 201) : c.json(put.view, 200);
    })
    .openapi(listRoute, async (c) => {
      const { found, page } = await configurations.list(c.get("caller"), c.req.valid("query"));
      return c.json({ room_configurations: found.map(listedView), ...page }, 200);
    })
    .openapi(readRoute, async (c) =>
      c.json(await configurations.read(c.get("caller"), c.req.valid("param").id), 200),
    )
    .openapi(deleteRoute, async (c) => {
      const { id } = c.req.valid("param");
      return c.json(await configurations.delete(c.get("caller"), id, c.req.valid("header")), 200);
    });
}

function listedView({ id, version, agents }: { id: string; version: number } & ConfigurationDefinition) {
  return {
    ...{ id, version },
    agents: agents.map(({ metadata: _metadata, attributes: _attributes, ...agent }) => agent),
  };
}
