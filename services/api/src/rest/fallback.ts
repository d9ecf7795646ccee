/**
 * Fallback steps as the REST API has them: the schema, and the way to the domain's words and back. Bounds, and what a step
 * that leaves something out means, are domain/fallback's, which refuses with the field as it is named here.
 */

import { z } from "@hono/zod-openapi";
import {
  type FallbackStep as FullStep,
  fallbackSteps,
  MAX_FALLBACK_AFTER_MS,
  MIN_FALLBACK_AFTER_MS,
} from "@muster/domain/fallback";

export const FallbackStep = z
  .strictObject({
    after_ms: z
      .int()
      .min(MIN_FALLBACK_AFTER_MS)
      .max(MAX_FALLBACK_AFTER_MS)
      .openapi({
        description:
          "How long a job has waited without a worker when it goes this step; anew when it is sent back after a start. Not " +
          "counted: back-offs and time on hold.",
      }),
    agent_name: z.string().optional().openapi({ description: "Left out: as in the step before." }),
    deployment: z.string().optional().openapi({ description: "Left out: as in the step before." }),
  })
  .openapi("FallbackStep");

interface Body {
  agent_name: string;
  deployment: string;
  fallback: readonly z.infer<typeof FallbackStep>[];
}

/** @throws DispatchError `invalid_argument`, with the field */
export function fallbackOf({ agent_name: agentName, deployment, fallback }: Body): readonly FullStep[] {
  const asked = fallback.map((step) => {
    return { afterMs: step.after_ms, agentName: step.agent_name, deployment: step.deployment };
  });
  return fallbackSteps({ agentName, deployment }, asked);
}

/** In full, whatever was left out. */
export function fallbackView(steps: readonly FullStep[]): z.infer<typeof FallbackStep>[] {
  return steps.map(({ afterMs, agentName, deployment }) => {
    return { after_ms: afterMs, agent_name: agentName, deployment };
  });
}
