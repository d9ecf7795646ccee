/**
 * Owns a comparison: one trace and one fleet for every strategy, all on one redis-server, each in a namespace of its own.
 * They run side by side, since each waits for Redis most of the time; none sees another.
 */
import type { Ledger } from "@muster/ledger/ledger";
import type { Figures } from "./account.js";
import { generateTrace } from "./generate-trace.js";
import { OptionError, type Settings } from "./options.js";
import { simulate } from "./simulation.js";
import type { Strategy } from "./strategies.js";
import { MAX_JOBS, type TracedJob } from "./trace.js";

export interface Comparison {
  readonly settings: Settings;
  readonly trace: readonly TracedJob[];
  readonly strategies: readonly Strategy[];
  readonly ledger: Ledger;
  /** Told now and then which part of it all is done, 0–1. */
  readonly progress?: (part: number) => void;
}

export interface Outcome {
  readonly name: string;
  readonly figures: Figures;
}

/** The trace that the settings ask for. Throws OptionError when it would have no job, or more than a trace may have. */
export function traceOf(settings: Settings): TracedJob[] {
  const { MINUTES, RATE, BURST, BURST_EVERY_S } = settings;
  const bursts = Math.max(0, Math.ceil((60 * MINUTES) / BURST_EVERY_S - 0.5));
  const expected = 60 * MINUTES * RATE + bursts * BURST;
  if (expected === 0) throw new OptionError("RATE, BURST: no job would come in MINUTES");
  // A Poisson stream can be longer than expected, though hardly by a hundredth.
  if (expected > 0.99 * MAX_JOBS)
    throw new OptionError(
      `RATE, BURST, MINUTES: about ${Math.round(expected)} jobs would come, of at most ${MAX_JOBS}`,
    );
  return generateTrace({
    seed: settings.SEED,
    lastsMs: settings.MINUTES * 60_000,
    ratePerS: settings.RATE,
    burst: settings.BURST,
    burstEveryMs: settings.BURST_EVERY_S * 1_000,
    meanMs: settings.LENGTH_S * 1_000,
    lengthSpread: settings.LENGTH_SPREAD,
    cost: settings.COST,
    costSpread: settings.COST_SPREAD,
  });
}

export async function compare({
  settings,
  trace,
  strategies,
  ledger,
  progress = () => {},
}: Comparison): Promise<Outcome[]> {
  const plan = {
    fleet: {
      seed: settings.SEED,
      workers: settings.WORKERS,
      fastShare: settings.FAST,
      fastSpeed: settings.SPEED,
      baseLoad: settings.BASE_LOAD,
      noise: settings.NOISE,
      threshold: settings.THRESHOLD,
      refuses: settings.REFUSES === 1,
      targetLoad: settings.TARGET,
      reportMs: settings.REPORT_MS,
    },
    trace,
    answerMs: settings.ANSWER_MS,
    launchMs: settings.LAUNCH_MS,
  };
  const parts = strategies.map(() => 0);
  return await Promise.all(
    strategies.map(async ({ name, make }, index) => {
      const placement = make(ledger, `simulated-${index}`, settings);
      const figures = await simulate({
        plan,
        placement,
        progress: (part) => {
          parts[index] = part;
          progress(Math.min(...parts));
        },
      });
      return { name, figures };
    }),
  );
}
