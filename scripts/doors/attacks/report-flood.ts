/** One worker reports the end of a job that is not its own, with 1.9 MB of error, over and over. */
import { encodeWorkerMessage } from "@muster/wire/agent-codec";
import { type Attack, MARK } from "../attack.js";
import { flood } from "./flood.js";

const JS_FAILED = 3;
const ERROR_BYTES = 1_900_000;

export const reportFlood: Attack = {
  name: "report-flood",
  about: "one worker sends update_job with 1.9 MB of error, 1,000 times and as fast as they are taken",
  leaves: "allowed",
  leastSeconds: 5,
  run: async (scene) => {
    const value = { jobId: `AJ_${MARK}`, status: JS_FAILED, error: "x".repeat(ERROR_BYTES) };
    const frame = encodeWorkerMessage({ case: "updateJob", value });
    return await flood(scene, { agent: `${MARK}-reporting`, frame, frames: 1_000, leastFrames: 400 });
  },
};
