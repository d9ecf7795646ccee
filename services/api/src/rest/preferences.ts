/**
 * Preferences of an order, and labels of workers, as the REST API has them: the schema with its bounds, and the way to the
 * domain's words.
 */

import { z } from "@hono/zod-openapi";
import { isId } from "@muster/domain/ids";
import type { Preferences } from "@muster/domain/preferences";
import { textMap } from "./text-map.js";

const MAX_EXCLUDED = 16;
const MAX_LABELS = 8;
const MAX_LABEL_BYTES = 128;
const MAX_STEPS = 4;
const MAX_KEY_BYTES = 256;
const MAX_STEP_MS = 24 * 3_600_000;

const isShort = (text: string, bytes: number) => Buffer.byteLength(text) <= bytes;

export const Labels = textMap
  .superRefine((labels, context) => {
    const entries = Object.entries(labels);
    if (entries.length > MAX_LABELS) {
      context.addIssue({ code: "custom", message: `at most ${MAX_LABELS} labels are taken` });
    }
    const isOdd = entries.some(([name, value]) => name === "" || !isShort(name + value, MAX_LABEL_BYTES));
    if (isOdd) {
      const message = `a label has a name, and at most ${MAX_LABEL_BYTES} bytes with its value`;
      context.addIssue({ code: "custom", message });
    }
  })
  .openapi({
    description: `At most ${MAX_LABELS}, each of at most ${MAX_LABEL_BYTES} bytes with its value.`,
  });

const Step = z.strictObject({
  labels: Labels.refine((labels) => Object.keys(labels).length > 0, "names no label").openapi({
    description: "All of them are needed.",
  }),
  for_ms: z.int().min(1).max(MAX_STEP_MS).openapi({ description: "For so long; then the next step holds." }),
});

const Sticky = z.strictObject({
  key: z
    .string()
    .min(1)
    .refine((text) => isShort(text, MAX_KEY_BYTES), `at most ${MAX_KEY_BYTES} bytes`)
    .openapi({
      description: "As of a caller, or a room: the worker that took the last job of this key is asked first.",
    }),
  hold_ms: z.int().min(0).max(MAX_STEP_MS).default(0).openapi({
    description: "For so long no other worker will do, as long as that one is connected.",
  }),
});

export const PreferencesBody = z
  .strictObject({
    exclude: z
      .array(z.string().refine(isId, "must be the id of a worker"))
      .max(MAX_EXCLUDED)
      .default([])
      .openapi({ description: "Workers that get none of its jobs." }),
    sticky: Sticky.optional(),
    labels: z.array(Step).max(MAX_STEPS).default([]).openapi({
      description: "Which workers will do, one step after the other, from when a job begins to wait.",
    }),
    otherwise: z.enum(["anyone", "nobody"]).default("anyone").openapi({
      description: "Who will do when the last step is over; `nobody`: the last step stays.",
    }),
  })
  .openapi("Preferences");

export function preferencesOf({
  exclude,
  sticky,
  labels,
  otherwise,
}: z.infer<typeof PreferencesBody>): Preferences {
  return {
    exclude,
    sticky: sticky === undefined ? undefined : { key: sticky.key, holdMs: sticky.hold_ms },
    labels: labels.map((step) => ({ labels: step.labels, forMs: step.for_ms })),
    otherwise,
  };
}

/** Null for an order that takes whoever there is. */
export function preferencesView(
  preferences: Preferences | undefined,
): z.infer<typeof PreferencesBody> | null {
  if (preferences === undefined) return null;
  const { exclude, sticky, labels, otherwise } = preferences;
  return {
    exclude: [...exclude],
    ...(sticky !== undefined && { sticky: { key: sticky.key, hold_ms: sticky.holdMs } }),
    labels: labels.map((step) => ({ labels: step.labels, for_ms: step.forMs })),
    otherwise,
  };
}
