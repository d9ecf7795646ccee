/**
 * Names with texts, as attributes are. Owns that none of them gets lost: zod leaves out a `__proto__` without a word, and
 * a target that lost what narrows it down would match more than was asked for.
 */

import { z } from "@hono/zod-openapi";

const TextMap = z.record(z.string(), z.string());

export const textMap = z
  .preprocess((value, context) => {
    if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__")) {
      context.addIssue({ code: "custom", message: "has the key __proto__, which is not taken" });
    }
    return value;
  }, TextMap)
  .openapi({ type: "object", additionalProperties: { type: "string" } });
