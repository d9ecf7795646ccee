/** Whether workers that report nothing get their places back: with a bound on jobs, and nobody who sees agents leave, late. */

import type { Check } from "../check.js";
import { ok, Skip, warn } from "../finding.js";

export const silentPlaces: Check = {
  name: "silent-places",
  looksAt: "Where MUSTER_MAX_JOBS_PER_WORKER is set, a LiveKit says when the jobs of Node workers are over.",
  async run({ settings }) {
    const { maxJobsPerWorker, livekitUrl } = settings;
    if (maxJobsPerWorker === 0) throw new Skip("MUSTER_MAX_JOBS_PER_WORKER is not set");
    if (livekitUrl !== undefined) return [ok("MUSTER_LIVEKIT_URL is set")];
    return [
      warn(
        `a worker that reports nothing (Node) keeps each of its ${maxJobsPerWorker} places until its caller orders the agent again, or for MUSTER_SILENT_JOB_BOUND_MS`,
        "MUSTER_LIVEKIT_URL for dispatchers and apis, or LiveKit's webhooks to the api, where you have Node workers",
      ),
    ];
  },
};
