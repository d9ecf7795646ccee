/**
 * A work order's target as the REST API has it: the schema, and the way to the domain's words and back. Owns no bound
 * that is not about shape; those are domain/target's, which refuses with the field as it is named here.
 */

import { z } from "@hono/zod-openapi";
import { MAX_ATTRIBUTES_BYTES, MAX_IDENTITY_BYTES } from "@muster/domain/limits";
import { PARTICIPANT_KINDS } from "@muster/domain/room";
import {
  MAX_TARGET_ATTRIBUTES,
  MAX_TARGET_IDENTITIES,
  parseTarget,
  TARGETS,
  type Target as TargetOfOrder,
} from "@muster/domain/target";
import { MAX_PATTERN_BYTES } from "@muster/domain/wildcard";
import { textMap } from "./text-map.js";

export const Target = z
  .strictObject({
    for: z.enum(TARGETS).openapi({
      description:
        "`room`: one job for the room. `publishers`, `participants`: one job for each that matches all else given here, as " +
        "they come; publishers are those who published a track.",
    }),
    identities: z
      .array(z.string())
      .optional()
      .openapi({ description: `1-${MAX_TARGET_IDENTITIES}, of 1-${MAX_IDENTITY_BYTES} bytes each.` }),
    identity_pattern: z
      .string()
      .optional()
      .openapi({
        description: `Matched against the whole identity: * is any text, ? is one character. At most ${MAX_PATTERN_BYTES} bytes.`,
      }),
    attributes: textMap.optional().openapi({
      description:
        "Each must be the participant's, with that value. " +
        `1-${MAX_TARGET_ATTRIBUTES}, at most ${MAX_ATTRIBUTES_BYTES} bytes of keys and values.`,
    }),
    kinds: z
      .array(z.enum(PARTICIPANT_KINDS))
      .optional()
      .openapi({ description: "All but `agent` and `egress` when not given." }),
  })
  .openapi("Target");

export function targetOf(target: z.infer<typeof Target>): TargetOfOrder {
  const { identities, identity_pattern: identityPattern, attributes, kinds } = target;
  return {
    for: target.for,
    ...(identities === undefined ? {} : { identities }),
    ...(identityPattern === undefined ? {} : { identityPattern }),
    ...(attributes === undefined ? {} : { attributes }),
    ...(kinds === undefined ? {} : { kinds }),
  };
}

/** From the text that the ledger has. */
export function targetView(text: string): z.infer<typeof Target> {
  const { identities, identityPattern, attributes, kinds, ...target } = parseTarget(text);
  return {
    for: target.for,
    ...(identities === undefined ? {} : { identities: [...identities] }),
    ...(identityPattern === undefined ? {} : { identity_pattern: identityPattern }),
    ...(attributes === undefined ? {} : { attributes: { ...attributes } }),
    ...(kinds === undefined ? {} : { kinds: [...kinds] }),
  };
}
