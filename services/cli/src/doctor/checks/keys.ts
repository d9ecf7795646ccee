/** Whether secrets are long enough to be some. Names keys, never secrets. */

import type { Check } from "../check.js";
import { ok, Skip, warn } from "../finding.js";
import { livekitKeys, musterKeys } from "../surroundings.js";

/** What livekit-server asks for: HS256 wants as many bytes as its digest has. */
const SHORTEST = 32;

export const keys: Check = {
  name: "keys",
  looksAt: "Each API secret has 32 characters or more, and devkey is not in force.",
  async run(surroundings) {
    const all = new Map([...musterKeys(surroundings), ...livekitKeys(surroundings)]);
    if (all.size === 0) throw new Skip("no keys are set");
    const weak = [...all].filter(([, secret]) => secret.length < SHORTEST);
    if (weak.length === 0)
      return [
        ok(`${all.size === 1 ? "the secret has" : `all ${all.size} secrets have`} 32 characters or more`),
      ];
    return weak.map(([key, secret]) =>
      key === "devkey" && secret === "secret"
        ? warn(
            "devkey is in force, whose secret everybody knows",
            'MUSTER_KEYS="<key>: <secret>" of your own, and no --dev; openssl rand -base64 36 makes a secret',
          )
        : warn(
            `the secret of ${key} has ${secret.length} characters; whoever has one token can guess it`,
            "give it another one here and in LiveKit's keys; openssl rand -base64 36 makes one",
          ),
    );
  },
};
