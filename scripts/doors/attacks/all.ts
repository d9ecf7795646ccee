/** The attacks, in the order in which they are made: what leaves something behind comes last. */
import type { Attack } from "../attack.js";
import { churningSockets } from "./churning-sockets.js";
import { flappingWorker } from "./flapping-worker.js";
import { greedyStreams } from "./greedy-streams.js";
import { heldProxy } from "./held-proxy.js";
import { jobToken } from "./job-token.js";
import { lyingWorker } from "./lying-worker.js";
import { manyNamespaces } from "./many-namespaces.js";
import { manyRules } from "./many-rules.js";
import { oddFraming } from "./odd-framing.js";
import { poisonJobs } from "./poison-jobs.js";
import { reportFlood } from "./report-flood.js";
import { silentHeads } from "./silent-heads.js";
import { simulateFlood } from "./simulate-flood.js";
import { slowUploads } from "./slow-uploads.js";
import { stolenJob } from "./stolen-job.js";

export const ATTACKS: readonly Attack[] = [
  oddFraming,
  silentHeads,
  slowUploads,
  heldProxy,
  greedyStreams,
  jobToken,
  stolenJob,
  lyingWorker,
  flappingWorker,
  reportFlood,
  simulateFlood,
  churningSockets,
  poisonJobs,
  manyRules,
  manyNamespaces,
];
