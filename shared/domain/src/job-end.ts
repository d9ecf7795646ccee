/**
 * Why a job ended, in a sentence for people. Pure. A job that did not succeed always has one, also where its worker said
 * nothing, or where a version that kept no sentence wrote it.
 */

import type { JobOutcome, JobState } from "./job.js";

interface End {
  readonly state: JobState;
  readonly outcome: JobOutcome | "";
  /** One word. */
  readonly cause: string;
  readonly error: string;
}

/** Of causes that are kept without a sentence, or with one that its caller may leave empty. */
const SENTENCES: ReadonlyMap<string, string> = new Map([
  ["room_closed", "the room closed while the job waited"],
  ["reported", "the worker reported a failure without saying why"],
  ["terminated", "it was terminated through the API"],
]);

/** What is kept of it, or else a sentence for its cause. Of a job that lives or went well: what is kept. */
export function errorOf({ state, outcome, cause, error }: End): string {
  if (error !== "" || state !== "ended" || outcome === "success") return error;
  return SENTENCES.get(cause) ?? (cause === "" ? "no reason is known" : `the job ended: ${cause}`);
}

/**
 * JobState.error. LiveKit's status is JS_FAILED for all that did not succeed, so an outcome other than `failed` stands
 * before the sentence: "canceled: the room closed while the job waited".
 */
export function wireErrorOf(end: End): string {
  const isFailure = end.state !== "ended" || end.outcome === "success" || end.outcome === "failed";
  return isFailure ? errorOf(end) : `${end.outcome}: ${errorOf(end)}`;
}
