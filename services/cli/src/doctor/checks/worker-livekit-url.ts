/** Where workers go for media: the url that they are given with each job, or the one that they dialled. */

import type { Check } from "../check.js";
import { type Finding, fail, ok, Skip, warn } from "../finding.js";
import { whoAnswers } from "../livekit-probe.js";
import type { Surroundings } from "../surroundings.js";
import { fixFor } from "./livekit-reach.js";

const TIMEOUT_MS = 3_000;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\]|::1)$/;

export const workerLivekitUrl: Check = {
  name: "worker-livekit-url",
  looksAt: "Workers find a livekit-server where MUSTER_WORKER_LIVEKIT_URL sends them, or where they dialled.",
  async run(surroundings) {
    const { workerLivekitUrl: url, gatewayUrl } = surroundings.settings;
    if (url !== undefined) return await given(url, surroundings);
    if (gatewayUrl === undefined) {
      throw new Skip(
        "MUSTER_WORKER_LIVEKIT_URL is not set, so workers use the url that they dial; --gateway-url is that one",
      );
    }
    return await dialled(gatewayUrl, surroundings);
  },
};

async function given(url: string, { settings, clock }: Surroundings): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { hostname, protocol } = new URL(url);
  if (LOOPBACK.test(hostname) && !LOOPBACK.test(settings.host)) {
    findings.push(
      warn(
        `workers are sent to ${url}, which on another machine is that machine`,
        "MUSTER_WORKER_LIVEKIT_URL=wss://<a name that workers reach>; fine where all of them run here",
      ),
    );
  }
  if (protocol === "http:" || protocol === "https:") {
    findings.push(
      warn(
        `workers are given ${url}; some SDKs take only ws:// and wss://`,
        `MUSTER_WORKER_LIVEKIT_URL=${url.replace(/^http/, "ws")}`,
      ),
    );
  }
  const who = await whoAnswers({ url, clock, timeoutMs: TIMEOUT_MS });
  if (who.kind !== "livekit") {
    const says = `workers are sent to ${url}, and find no livekit-server there: ${who.problem}`;
    findings.push(fail(says, fixFor(who, "MUSTER_WORKER_LIVEKIT_URL", url)));
  }
  return findings.length > 0 ? findings : [ok(`workers are sent to ${url}, where livekit-server answers`)];
}

async function dialled(url: string, { clock }: Surroundings): Promise<Finding[]> {
  const who = await whoAnswers({ url, clock, timeoutMs: TIMEOUT_MS });
  if (who.kind === "livekit") return [ok(`workers dial ${url}, whose /rtc leads to livekit-server`)];
  return [
    fail(
      `workers look for media where they dial, at ${url}: ${who.problem}`,
      "MUSTER_WORKER_LIVEKIT_URL=wss://<livekit-server>, or a proxy there that sends only /agent to Muster",
    ),
  ];
}
