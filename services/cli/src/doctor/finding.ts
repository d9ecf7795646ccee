/**
 * What a check says: how bad it is, what was measured, and what to do about it. And `Skip`, for what cannot be looked at.
 */

/** From the best to the worst. */
export const VERDICTS = ["skipped", "ok", "warn", "fail"] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Finding {
  verdict: Verdict;
  /** One sentence, with what was measured; of a skipped one, why. */
  says: string;
  /** A command, or a setting with its value. Of every warning and failure. */
  fix?: string;
}

export const ok = (says: string): Finding => ({ verdict: "ok", says });
export const warn = (says: string, fix: string): Finding => ({ verdict: "warn", says, fix });
export const fail = (says: string, fix: string): Finding => ({ verdict: "fail", says, fix });
export const skipped = (why: string): Finding => ({ verdict: "skipped", says: why });

/** Thrown by what a check asks for: it cannot be made here, which is no fault. */
export class Skip extends Error {
  override readonly name = "Skip";
}

/** The worst of them. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  const ranks = findings.map(({ verdict }) => VERDICTS.indexOf(verdict));
  return VERDICTS[Math.max(0, ...ranks)] ?? "skipped";
}
