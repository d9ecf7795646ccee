/**
 * An attempt as the REST API shows it: its stages as durations. Owns that arithmetic; reads nothing.
 */

import type { z } from "@hono/zod-openapi";
import type { Pool } from "@muster/domain/pool";
import type { Attempt, AttemptOutcome } from "@muster/ledger/attempts";
import type { Standing } from "@muster/ledger/shapes";
import type { Explanation } from "./explain-schemas.js";

type View = z.infer<typeof Explanation>["attempts"][number];

/** `freeSinceMs`: when the job was made, or the attempt before it ended; null when that one is not kept. */
export function attemptView(
  attempt: Attempt,
  { freeSinceMs, nowMs, pool }: { freeSinceMs: number | null; nowMs: number; pool: Pool },
): View {
  const { how, beganAtMs, startedAtMs, runningAtMs, lostAtMs, endedAtMs } = attempt;
  const isOffer = how === "offered";
  const overMs = endedAtMs || nowMs;
  const ranSinceMs = how === "returned" ? beganAtMs : runningAtMs;
  return {
    number: attempt.number,
    how,
    outcome: attempt.outcome as AttemptOutcome,
    agent_name: pool.agentName,
    deployment: pool.deployment,
    worker_id: attempt.session,
    epoch: attempt.epoch,
    began_at_ms: beganAtMs,
    ended_at_ms: endedAtMs || null,
    waited_ms: freeSinceMs === null ? null : span(freeSinceMs, beganAtMs),
    parked_ms: how === "parked" ? span(beganAtMs, overMs) : null,
    answered_ms: isOffer ? span(beganAtMs, startedAtMs || overMs) : null,
    started_ms: startedAtMs ? span(startedAtMs, runningAtMs || lostAtMs || overMs) : null,
    ran_ms: ranSinceMs ? span(ranSinceMs, lostAtMs || overMs) : null,
    lost_ms: lostAtMs ? span(lostAtMs, overMs) : null,
    considered: attempt.considered.map(consideredView),
    considered_left_out: attempt.consideredLeftOut,
  };
}

export const consideredView = ({ session, load, verdict, below_count }: Standing) => ({
  worker_id: session,
  load: Number(load.toFixed(4)),
  verdict,
  ...(below_count === 1 && { load_below_count: true as const }),
});

/** Redis' clock may have been set back. */
const span = (fromMs: number, toMs: number): number => Math.max(0, toMs - fromMs);
