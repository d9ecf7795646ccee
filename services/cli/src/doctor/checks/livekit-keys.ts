/**
 * Whether LiveKit knows the keys: the one that Muster asks it with, and each that a worker may use, since the token of a
 * job is signed with the key of its worker. Names keys, never secrets.
 */

import { LivekitError } from "@muster/livekit/livekit-error";
import type { Check } from "../check.js";
import { type Finding, fail, ok, Skip, skipped } from "../finding.js";
import { roomServiceWith } from "../livekit-of.js";
import type { LivekitKey } from "../livekit-probe.js";
import { livekitKeys, musterKeys, type Surroundings } from "../surroundings.js";

/** One that nobody has: an answer of no rooms is what is wanted. */
const NO_ROOM = "muster-doctor-none";

export const livekitKeysCheck: Check = {
  name: "livekit-keys",
  looksAt: "LiveKit takes tokens of each of Muster's keys, and of those that Muster asks it with.",
  async run(surroundings) {
    const { livekitUrl, workerLivekitUrl = livekitUrl, livekitKeys: own } = surroundings.settings;
    const workers = workerLivekitUrl === undefined ? [] : [...musterKeys(surroundings)];
    const asked = livekitUrl === undefined || own === undefined ? [] : [...livekitKeys(surroundings)];
    if (livekitUrl === undefined && workerLivekitUrl === undefined)
      throw new Skip("MUSTER_LIVEKIT_URL is not set");
    const findings = await Promise.all([
      ...asked.map((key) => findingOf(livekitUrl ?? "", key, "MUSTER_LIVEKIT_KEYS", surroundings)),
      ...workers.map((key) => findingOf(workerLivekitUrl ?? "", key, "MUSTER_KEYS", surroundings)),
    ]);
    return findings.length > 0
      ? findings
      : [fail("there is no key to sign with", 'MUSTER_KEYS="<key>: <secret>"')];
  },
};

async function findingOf(
  url: string,
  [apiKey, apiSecret]: [string, string],
  variable: "MUSTER_KEYS" | "MUSTER_LIVEKIT_KEYS",
  surroundings: Surroundings,
): Promise<Finding> {
  const key: LivekitKey = { apiKey, apiSecret };
  try {
    await roomServiceWith(url, key, surroundings).listRooms([NO_ROOM]);
    return ok(`LiveKit takes tokens of ${apiKey} (${variable})`);
  } catch (error) {
    const isRefusal =
      error instanceof LivekitError &&
      (error.code === "unauthenticated" || error.code === "permission_denied");
    if (isRefusal) return refused(apiKey, variable, error.message);
    if (!(error instanceof LivekitError)) throw error;
    return skipped(`LiveKit did not answer whether it takes ${apiKey} (${error.code})`);
  }
}

/** livekit-server answers 401 to both; its words narrow it down where they are known, and decide nothing else. */
function refused(apiKey: string, variable: string, said: string): Finding {
  const follows =
    variable === "MUSTER_KEYS"
      ? "workers that use it get jobs, and cannot join their rooms"
      : "Muster can neither ask LiveKit nor believe webhooks that it signs";
  if (said.includes("invalid API key")) {
    return fail(
      `LiveKit does not know the key ${apiKey} of ${variable}: ${follows}`,
      `add it to keys in livekit.yaml, with the same secret, or take it out of ${variable}`,
    );
  }
  const unknown = /invalid.* token/.test(said) ? "" : "does not know the key, or ";
  return fail(
    `LiveKit ${unknown}has another secret for the key ${apiKey} of ${variable}, or its clock is off: ${follows}`,
    `set the secret that livekit.yaml has under keys: ${apiKey}, in ${variable}; the check "clock" tells of clocks`,
  );
}
