/**
 * Times that only make sense together. Each pair is checked in every service that knows both, so that no setting which looks
 * right alone can stop work for ever. The Helm chart has the same table, written by `npm run docs`.
 */
import { variableName } from "./config-doc.js";

export interface CoupledTimes {
  /** The setting that must not be too short. */
  readonly field: string;
  /** The setting that it is held against. */
  readonly than: string;
  /** It must be at least this part of the other: 1 / `part`. */
  readonly part: number;
  /** 0 means never, and is not held against anything. */
  readonly zeroIsOff: boolean;
  readonly why: string;
}

export const COUPLED_TIMES: readonly CoupledTimes[] = [
  {
    ...{ field: "offerTimeoutMaxMs", than: "offerTimeoutMs", part: 1, zeroIsOff: false },
    why: "a worker that was slow is given no less than one that was not",
  },
  {
    ...{ field: "silenceMs", than: "pingIntervalMs", part: 1, zeroIsOff: false },
    why: "a worker that is pinged less often looks dead",
  },
  {
    ...{ field: "holdMs", than: "leaseMs", part: 3, zeroIsOff: true },
    why: "gateways say what they hold with each renewal of their lease",
  },
  {
    ...{ field: "retentionMs", than: "graceMs", part: 1, zeroIsOff: false },
    why: "a worker that comes back late must find that its job has ended",
  },
];

interface Context {
  addIssue(issue: { code: "custom"; path: string[]; message: string }): void;
}

/** For `superRefine` of a service's schema: an issue for each pair that does not fit, which names both. */
export function checkCoupledTimes(config: Readonly<Record<string, unknown>>, context: Context): void {
  for (const { field, than, part, zeroIsOff, why } of COUPLED_TIMES) {
    const [value, other] = [config[field], config[than]];
    if (typeof value !== "number" || typeof other !== "number" || (zeroIsOff && value === 0)) continue;
    if (value * part >= other) continue;
    const least = part === 1 ? "at least" : `at least 1/${part} of`;
    const message = `${value} ms is too short: must be ${least} ${variableName(than, "MUSTER_")} (${than}), which is ${other} ms: ${why}`;
    context.addIssue({ code: "custom", path: [field], message });
  }
}
