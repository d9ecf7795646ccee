/** What a deployment split is, as callers give it and as it is answered. */

import { z } from "@hono/zod-openapi";
import { MAX_AGENT_NAME_BYTES } from "@muster/domain/limits";
import { deploymentProblem } from "@muster/domain/pool";
import type { SplitView } from "../deployment-splits.js";
import { NamespaceQuery } from "./schemas.js";

const MAX_STEPS = 20;
const MAX_RAMP_MS = 30 * 24 * 3_600_000;
/** Of so many of its newest jobs, at most, is the candidate's share of bad ones taken. */
const MOST_COUNTED = 100;

const agentName = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= MAX_AGENT_NAME_BYTES, `at most ${MAX_AGENT_NAME_BYTES} bytes`);

export const SplitQuery = NamespaceQuery.extend({
  agent_name: agentName.openapi({ description: "The agent, empty for the unnamed one." }),
});
export const SplitsQuery = NamespaceQuery.extend({
  agent_name: agentName.optional().openapi({ description: "Only this agent's." }),
});

const deployment = z.string().superRefine((text, context) => {
  const problem = deploymentProblem(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

export const Split = z
  .strictObject({
    stable: deployment.default("").openapi({
      description: "The deployment that all other jobs go to; empty for that of workers which name none.",
    }),
    candidate: deployment
      .refine((text) => text !== "", "must name a deployment")
      .openapi({ description: "The deployment that is tried out." }),
    steps: z
      .array(
        z.strictObject({
          after_ms: z.int().min(0).max(MAX_RAMP_MS).openapi({ description: "From when the split was set." }),
          percent: z.number().min(0).max(100),
        }),
      )
      .min(1)
      .max(MAX_STEPS)
      .openapi({
        description:
          "What share of the jobs the candidate has, from when on; none before the first. Ascending in time. One step with " +
          "`after_ms` 0 is a fixed share.",
      }),
    rollback: z
      .strictObject({
        max_bad_percent: z.number().min(0).max(100).openapi({
          description: "A larger share of bad ones among the candidate's newest jobs ends the split.",
        }),
        min_jobs: z.int().min(1).max(MOST_COUNTED).openapi({
          description: "As soon as so many are counted.",
        }),
      })
      .openapi({
        description:
          `What is counted are the newest ${MOST_COUNTED} of the candidate's jobs of the last 10 minutes whose outcome is known. ` +
          "Bad: failed, never started, its agent never joined its room, its worker lost, refused by everybody who could be asked, an offer that was not answered.",
      }),
    short_jobs: z.enum(["bad", "ignored"]).default("ignored").openapi({
      description:
        "Whether a short job is bad: it ended well, but its agent left the room at once (`MUSTER_SHORT_JOB_MS`) and a caller stayed.",
    }),
  })
  .superRefine(({ stable, candidate, steps }, context) => {
    const refuse = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message });
    if (stable === candidate) refuse(["candidate"], "must be another deployment than `stable`");
    for (const [index, step] of steps.entries()) {
      const before = steps[index - 1];
      if (before !== undefined && step.after_ms <= before.after_ms)
        refuse(["steps", index, "after_ms"], "must be later than the step before");
    }
  })
  .openapi("DeploymentSplit");

const seen = { good: z.int(), bad: z.int() };
const SideCounts = z.object({
  jobs: z.int().openapi({ description: "Placed there by the split." }),
  ...seen,
});

export const SplitState = z
  .object({
    agent_name: z.string(),
    split: Split,
    state: z.enum(["ramping", "done", "rolled_back"]).openapi({
      description: "`done`: the last step is reached. `rolled_back`: all jobs go to the stable deployment.",
    }),
    percent: z.number().openapi({ description: "The candidate's share now." }),
    started_at_ms: z.int(),
    changed_at_ms: z.int().openapi({
      description: "When it was rolled back; else when the last step is or was reached.",
    }),
    rolled_back: z
      .object({
        bad_jobs: z.int(),
        counted_jobs: z.int(),
        last_reason: z.string().openapi({
          description:
            "Of the last of them: failed, never_started, never_joined, agent_left, worker_lost, rejected, slow, silent, short.",
        }),
      })
      .nullable(),
    stable: SideCounts,
    candidate: SideCounts.extend({
      recent: z.object(seen).openapi({ description: "What the candidate is judged by now." }),
    }),
  })
  .openapi("DeploymentSplitState");

export const Splits = z
  .object({ namespace: z.string(), splits: z.array(SplitState) })
  .openapi("DeploymentSplits");
export const SetSplit = SplitState.extend({ namespace: z.string() }).openapi("SetDeploymentSplit");
export const DeletedSplit = z
  .object({ namespace: z.string(), agent_name: z.string(), was_set: z.boolean() })
  .openapi("DeletedDeploymentSplit");

export function splitView(view: SplitView): z.infer<typeof SplitState> {
  const { rolledBack, counts, split } = view;
  return {
    agent_name: view.agent,
    split: { ...split, steps: [...split.steps] },
    ...{ state: view.state, percent: view.percent },
    ...{ started_at_ms: view.startedAtMs, changed_at_ms: view.changedAtMs },
    rolled_back:
      rolledBack === undefined
        ? null
        : {
            bad_jobs: rolledBack.badJobs,
            counted_jobs: rolledBack.countedJobs,
            last_reason: rolledBack.why,
          },
    stable: counts.stable,
    candidate: { ...counts.candidate, recent: counts.lately },
  };
}
