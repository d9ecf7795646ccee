/**
 * Reads a rule or room configuration as it is stored: checked when it was put, though perhaps by another version. A field
 * that this one does not know is passed over. Not so in what says for whom something is: with a condition passed over a
 * rule would hold for more than was meant, so that one cannot be read at all.
 */

import type { z } from "@hono/zod-openapi";

const NARROWS: readonly PropertyKey[] = ["when", "target"];

/** @throws ZodError or SyntaxError for what this version cannot read */
export function readStored<T>(schema: z.ZodType<T>, text: string): T {
  const stored: unknown = JSON.parse(text);
  const { data, error } = schema.safeParse(stored);
  if (error === undefined) return data;
  for (const issue of error.issues) {
    if (issue.code !== "unrecognized_keys" || issue.path.some((step) => NARROWS.includes(step))) throw error;
    const holder = issue.path.reduce<unknown>((value, step) => (value as Fields)[step], stored) as Fields;
    for (const key of issue.keys) delete holder[key];
  }
  return schema.parse(stored);
}

type Fields = Record<PropertyKey, unknown>;
