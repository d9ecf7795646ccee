/**
 * What a project defines, as the REST API takes and shows it: rules, room configurations, and the headers by which a
 * version is asked for. Of these schemas are also the objects that are read from the ledger. Lists leave out what may be
 * private (metadata, attributes); single reads have it.
 */

import { z } from "@hono/zod-openapi";
import { DispatchError } from "@muster/domain/errors";
import { isId } from "@muster/domain/ids";
import { MAX_ATTRIBUTES_BYTES, MAX_METADATA_BYTES } from "@muster/domain/limits";
import { checkCondition, MAX_CONDITION_FIELDS } from "@muster/domain/room-rule";
import { MAX_PATTERN_BYTES } from "@muster/domain/wildcard";
import { checkBytes, checkTerms } from "../order-request.js";
import { OrderTemplate, termsOf } from "./new-order.js";
import { PageLimit } from "./page.js";
import { textMap } from "./text-map.js";
import { underField } from "./under-field.js";

export const MAX_TEMPLATES = 32;

export const definitionId = z.string().refine(isId, "must be an id: 1-64 of A-Z a-z 0-9 _ . -");

export const DefinitionParams = z.object({
  id: definitionId.openapi({
    param: { name: "id", in: "path" },
    description: "Chosen by whoever defines it.",
    example: "support-calls",
  }),
});

export const VersionHeaders = z.object({
  "if-match": z
    .string()
    .regex(
      /^(\d{1,15}|"\d{1,15}")$/,
      "must be a version: the number that an answer gave, with or without quotes",
    )
    .optional()
    .openapi({
      description:
        "Only in place of this version; refused with 412 where it is another one by now, or gone. Without it, whatever there is.",
    }),
});

export const DefinitionsQuery = z.object({
  limit: PageLimit.openapi({ description: "A page of large ones ends before it." }),
  cursor: z.string().max(64).optional().openapi({ description: "`next_cursor` of the page before." }),
});

const RoomCondition = z
  .strictObject({
    room_pattern: z
      .string()
      .optional()
      .openapi({
        description: `Matched against the whole name: * is any text, ? is one character. At most ${MAX_PATTERN_BYTES} bytes.`,
      }),
    metadata: textMap.optional().openapi({
      description:
        "The room's metadata is a JSON object, and each of these is a field of it, with that text as its value. " +
        `1-${MAX_CONDITION_FIELDS}, at most ${MAX_ATTRIBUTES_BYTES} bytes of names and values.`,
    }),
  })
  .openapi("RoomCondition", { description: "All that is given must be so. One of both, or both." });

const templates = z.array(OrderTemplate).min(1).max(MAX_TEMPLATES);

export const RuleBody = z
  .strictObject({
    enabled: z.boolean().default(true).openapi({ description: "false: it is kept, and applies to no room." }),
    when: RoomCondition,
    orders: templates
      .optional()
      .openapi({ description: `1-${MAX_TEMPLATES} work orders that are made for the room.` }),
    configuration: definitionId
      .optional()
      .openapi({ description: "Id of a room configuration whose agents are ordered as well." }),
  })
  .openapi("RuleBody", { description: "With orders, a configuration, or both." });

export const ConfigurationBody = z
  .strictObject({
    agents: templates.openapi({ description: `1-${MAX_TEMPLATES} work orders that are made for the room.` }),
    metadata: z
      .string()
      .optional()
      .openapi({
        description:
          "Of a room that is made with it through POST /v1/rooms and is given none of its own there. " +
          `At most ${MAX_METADATA_BYTES} bytes.`,
      }),
  })
  .openapi("RoomConfigurationBody");

export type RuleDefinition = z.infer<typeof RuleBody>;
export type ConfigurationDefinition = z.infer<typeof ConfigurationBody>;

const known = {
  id: z.string(),
  version: z.int().openapi({
    description: "Later with each change, and never used twice: Unix time in ms, or a little more.",
  }),
};
const ListedTemplate = OrderTemplate.omit({ metadata: true, attributes: true }).openapi("ListedTemplate");
const paged = {
  next_cursor: z.string().nullable().openapi({ description: "null behind the last page." }),
  total: z.int().openapi({ description: "In the whole list." }),
};

export const Rule = z.object({ ...known, ...RuleBody.shape }).openapi("Rule");
export const RulePage = z
  .object({
    rules: z.array(Rule.extend({ orders: z.array(ListedTemplate).optional() }).openapi("ListedRule")),
    ...paged,
  })
  .openapi("RulePage");

export const RoomConfiguration = z
  .object({ ...known, ...ConfigurationBody.shape })
  .openapi("RoomConfiguration");
export const RoomConfigurationPage = z
  .object({
    room_configurations: z.array(
      z.object({ ...known, agents: z.array(ListedTemplate) }).openapi("ListedRoomConfiguration"),
    ),
    ...paged,
  })
  .openapi("RoomConfigurationPage");

export const Deleted = z
  .object({
    id: z.string(),
    version: z
      .int()
      .nullable()
      .openapi({ description: "Its last one; null where there was nothing, or no more." }),
  })
  .openapi("Deleted");

/** The bounds that a schema cannot say. @throws DispatchError `invalid_argument`, with the field */
export function checkRule({ when, orders, configuration }: RuleDefinition): void {
  if (when.room_pattern === undefined && when.metadata === undefined) {
    throw new DispatchError("invalid_argument", "needs room_pattern, metadata, or both", "when");
  }
  underField("when", () => checkCondition(conditionOf(when)));
  if (orders === undefined && configuration === undefined) {
    throw new DispatchError("invalid_argument", "is required, or a configuration", "orders");
  }
  for (const [at, template] of (orders ?? []).entries())
    underField(`orders.${at}`, () => checkTerms(termsOf(template)));
}

/** @throws DispatchError `invalid_argument`, with the field */
export function checkConfiguration({ agents, metadata }: ConfigurationDefinition): void {
  for (const [at, template] of agents.entries())
    underField(`agents.${at}`, () => checkTerms(termsOf(template)));
  if (metadata !== undefined) checkBytes("metadata", metadata, MAX_METADATA_BYTES);
}

export function conditionOf({ room_pattern: roomPattern, metadata }: RuleDefinition["when"]) {
  return { roomPattern, metadata };
}

/** 0: whatever there is. */
export function versionOf({ "if-match": version }: z.infer<typeof VersionHeaders>): number {
  return version === undefined ? 0 : Number(version.replaceAll('"', ""));
}
