/**
 * Who is asked for an order's jobs when nobody takes them: the order's own agent, then step after step another agent, or
 * another deployment. Owns the bounds on what a caller gives, and the text that the ledger keeps, from which its scripts
 * take the pool of each step. Knows nothing of jobs: when a step's time has come is theirs to say.
 */

import { DispatchError } from "./errors.js";
import { MAX_AGENT_NAME_BYTES } from "./limits.js";
import { deploymentProblem, poolOf, serverName } from "./pool.js";

/** Who serves, from this long after a job began to wait. What a step left out is as in the one before it. */
export interface FallbackStep {
  afterMs: number;
  agentName: string;
  deployment: string;
}

export interface AskedStep {
  afterMs: number;
  agentName?: string | undefined;
  deployment?: string | undefined;
}

export const MAX_FALLBACK_STEPS = 8;
export const MIN_FALLBACK_AFTER_MS = 1_000;
export const MAX_FALLBACK_AFTER_MS = 24 * 3_600_000;

/** The steps in full. @throws DispatchError `invalid_argument`, with the field as the REST API has it */
export function fallbackSteps(
  own: Omit<FallbackStep, "afterMs">,
  asked: readonly AskedStep[],
): readonly FallbackStep[] {
  if (asked.length > MAX_FALLBACK_STEPS) {
    throw refusal("fallback", `${asked.length} steps; at most ${MAX_FALLBACK_STEPS} are taken`);
  }
  const steps: FallbackStep[] = [];
  let before: FallbackStep = { ...own, afterMs: 0 };
  for (const [index, step] of asked.entries()) {
    before = stepAfter(before, step, `fallback.${index}`);
    steps.push(before);
  }
  return steps;
}

function stepAfter(before: FallbackStep, asked: AskedStep, field: string): FallbackStep {
  const { afterMs, agentName = before.agentName, deployment = before.deployment } = asked;
  if (!Number.isInteger(afterMs) || afterMs < MIN_FALLBACK_AFTER_MS || afterMs > MAX_FALLBACK_AFTER_MS) {
    throw refusal(
      `${field}.after_ms`,
      `must be whole, from ${MIN_FALLBACK_AFTER_MS} to ${MAX_FALLBACK_AFTER_MS}`,
    );
  }
  if (afterMs <= before.afterMs) throw refusal(`${field}.after_ms`, "must be more than the step's before it");
  if (asked.agentName === undefined && asked.deployment === undefined) {
    throw refusal(field, "needs an agent_name, or a deployment, or both");
  }
  const bytes = new TextEncoder().encode(agentName).byteLength;
  if (bytes > MAX_AGENT_NAME_BYTES) {
    throw refusal(`${field}.agent_name`, `${bytes} bytes; at most ${MAX_AGENT_NAME_BYTES} are taken`);
  }
  const problem = deploymentProblem(deployment);
  if (problem !== undefined) throw refusal(`${field}.deployment`, problem);
  if (agentName === before.agentName && deployment === before.deployment) {
    throw refusal(field, "asks the very agent and deployment that is asked before it");
  }
  return { afterMs, agentName, deployment };
}

/** As the ledger keeps it: the order's own agent first, then each step. Pools without their type, which is the job's. */
export function encodeFallback(own: Omit<FallbackStep, "afterMs">, steps: readonly FallbackStep[]): string {
  const all = [{ ...own, afterMs: 0 }, ...steps];
  return JSON.stringify(all.map((step) => ({ pool: serverName(step), after_ms: step.afterMs })));
}

/** The steps without the order's own; none for a text that is empty. */
export function decodeFallback(text: string): readonly FallbackStep[] {
  if (text === "") return [];
  const [, ...steps] = JSON.parse(text) as { pool: string; after_ms: number }[];
  return steps.map(({ pool, after_ms: afterMs }) => {
    const { agentName, deployment } = poolOf(`room/${pool}`);
    return { afterMs, agentName, deployment };
  });
}

function refusal(field: string, problem: string): DispatchError {
  return new DispatchError("invalid_argument", problem, field);
}
