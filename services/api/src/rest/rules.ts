/**
 * /v1/rules: when a room starts whose name or metadata match, these orders are made. Put, read, listed and deleted here;
 * what would come of them for a room is rule-dry-run.ts's, what does come of them rules/follow-rules.ts's.
 */

import { createRoute } from "@hono/zod-openapi";
import { newRoutes } from "./context.js";
import { type DefinitionCallsDeps, definitionCalls } from "./definition-calls.js";
import {
  checkRule,
  DefinitionParams,
  DefinitionsQuery,
  Deleted,
  Rule,
  RuleBody,
  type RuleDefinition,
  RulePage,
  VersionHeaders,
} from "./definition-schemas.js";
import { problems } from "./problem.js";

export const RULES_PATH = "/v1/rules";
const ONE_RULE_PATH = "/v1/rules/{id}";

const rule = { "application/json": { schema: Rule } };

const putRoute = createRoute({
  method: "put",
  path: ONE_RULE_PATH,
  operationId: "putRule",
  summary: "Makes a rule, or puts another one in its place. May be repeated.",
  description:
    "It applies to rooms whose life begins after it; what it asked for in a room that lives stays as it was made. At most " +
    "500 are kept, or as MUSTER_RULES says, each of at most 1 MiB of JSON, and 64 MiB all together.",
  request: {
    params: DefinitionParams,
    headers: VersionHeaders,
    body: { required: true, content: { "application/json": { schema: RuleBody } } },
  },
  responses: {
    201: { description: "The rule, which is new.", content: rule },
    200: { description: "The rule, in place of an earlier one or as it was.", content: rule },
    ...problems("invalid_argument", "failed_precondition", "too_large"),
  },
});

const listRoute = createRoute({
  method: "get",
  path: RULES_PATH,
  operationId: "listRules",
  summary: "Rules, the longest unchanged first.",
  request: { query: DefinitionsQuery },
  responses: {
    200: {
      description: "A page, without metadata and attributes of orders.",
      content: { "application/json": { schema: RulePage } },
    },
    ...problems("invalid_argument"),
  },
});

const readRoute = createRoute({
  method: "get",
  path: ONE_RULE_PATH,
  operationId: "readRule",
  summary: "One rule, as it was put.",
  request: { params: DefinitionParams },
  responses: {
    200: { description: "The rule.", content: rule },
    ...problems("invalid_argument", "not_found"),
  },
});

const deleteRoute = createRoute({
  method: "delete",
  path: ONE_RULE_PATH,
  operationId: "deleteRule",
  summary: "Deletes a rule. Orders that it asked for stay. May be repeated.",
  request: { params: DefinitionParams, headers: VersionHeaders },
  responses: {
    200: { description: "It is not there any more.", content: { "application/json": { schema: Deleted } } },
    ...problems("invalid_argument", "failed_precondition"),
  },
});

export function ruleRoutes(deps: DefinitionCallsDeps) {
  const rules = definitionCalls(deps, { kind: "rules", schema: RuleBody, check: checkRule });
  return newRoutes()
    .openapi(putRoute, async (c) => {
      const { id } = c.req.valid("param");
      const put = await rules.put(c.get("caller"), id, c.req.valid("json"), c.req.valid("header"));
      return put.isNew ? c.json(put.view, 201) : c.json(put.view, 200);
    })
    .openapi(listRoute, async (c) => {
      const { found, page } = await rules.list(c.get("caller"), c.req.valid("query"));
      return c.json({ rules: found.map(listedView), ...page }, 200);
    })
    .openapi(readRoute, async (c) => c.json(await rules.read(c.get("caller"), c.req.valid("param").id), 200))
    .openapi(deleteRoute, async (c) => {
      const { id } = c.req.valid("param");
      return c.json(await rules.delete(c.get("caller"), id, c.req.valid("header")), 200);
    });
}

function listedView({ orders, ...rest }: { id: string; version: number } & RuleDefinition) {
  if (orders === undefined) return rest;
  return {
    ...rest,
    orders: orders.map(({ metadata: _metadata, attributes: _attributes, ...order }) => order),
  };
}
