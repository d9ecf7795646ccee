/** Whether the services that are named by their url answer, are what they should be, and are ready. */

import { productVersion } from "@muster/runtime/version";
import type { Check } from "../check.js";
import { type Finding, fail, ok, Skip, warn } from "../finding.js";
import { musterAt, readiness, type Unread } from "../muster-probe.js";
import type { Surroundings } from "../surroundings.js";

/** Longer than /readyz takes to give up a check of its own. */
const TIMEOUT_MS = 4_000;

export const services: Check = {
  name: "services",
  looksAt:
    "The services at --api-url, --gateway-url and --dispatcher-url answer and are ready; their versions are told.",
  async run(surroundings) {
    const { apiUrl, gatewayUrl, dispatcherUrl } = surroundings.settings;
    const named = [
      ["api", apiUrl],
      ["gateway", gatewayUrl],
      ["dispatcher", dispatcherUrl],
    ] as const;
    const findings: Finding[] = [];
    const versions = new Set([productVersion()]);
    for (const [service, url] of named) {
      if (url === undefined) continue;
      const { finding, version } = await findingOf(service, url, surroundings);
      findings.push(finding);
      if (version !== undefined) versions.add(version);
    }
    if (findings.length === 0) throw new Skip("none is named: --api-url, --gateway-url, --dispatcher-url");
    if (versions.size > 1)
      findings.push(ok(`versions differ, as in a roll-out: ${[...versions].join(", ")}`));
    return findings;
  },
};

async function findingOf(
  service: string,
  url: string,
  { clock, settings }: Surroundings,
): Promise<{ finding: Finding; version?: string }> {
  const options = { timeoutMs: TIMEOUT_MS, now: () => clock.now() };
  const answer = await readiness(url, options);
  if ("problem" in answer) {
    const fix = `check the url, and that the ${service} runs: its log says why not`;
    return { finding: fail(`the ${service} at ${url} does not answer: ${answer.problem}`, fix) };
  }
  const muster = await musterAt(url, options, settings);
  const isUnnamed = muster?.isMuster === true && muster.service === undefined;
  if (!isUnnamed && muster?.service !== service && muster?.service !== "standalone") {
    const found = muster?.isMuster ? `Muster's ${muster.service}` : "no Muster";
    return {
      finding: fail(
        `at ${url} is ${found}, and not the ${service}`,
        `MUSTER_${service.toUpperCase()}_URL=<its own>`,
      ),
    };
  }
  const { version, unread } = muster;
  const told = version === undefined ? {} : { version };
  if (answer.status !== 200) {
    const fix = `its log says why; redis-reach and redis-rights may too`;
    return {
      finding: fail(`the ${service} at ${url} is not ready: ${failingIn(answer.body)}`, fix),
      ...told,
    };
  }
  return {
    finding: readyFinding(`${isUnnamed ? "a Muster" : `the ${service}`} at ${url}`, version, unread),
    ...told,
  };
}

/** That its metrics are not read says nothing against a service; a token that is not its own is somebody's mistake. */
function readyFinding(who: string, version: string | undefined, unread: Unread | undefined): Finding {
  if (unread === undefined) return ok(`${who} is ready (${version})`);
  const says = `${who} is ready; its version and metrics are not read: ${unread.why}`;
  return unread.fix === undefined ? ok(says) : warn(says, unread.fix);
}

function failingIn(body: string): string {
  try {
    const { failing } = JSON.parse(body) as { failing?: unknown };
    return Array.isArray(failing) ? failing.join(", ") : "it does not say why";
  } catch {
    return "it does not say why";
  }
}
