/**
 * Whether workers are registered at livekit-server itself, beside Muster: their jobs were seen in the last hour. Both sides then
 * serve the same dispatches, and each of Muster's waits until livekit-server's workers had their time to claim it. Reads only.
 */

import { OwnWorkers } from "@muster/livekit/own-workers";
import type { Check } from "../check.js";
import { ok, warn } from "../finding.js";
import { redisOf } from "../surroundings.js";

const NAMED = 3;

export const ownWorkers: Check = {
  name: "own-workers",
  looksAt:
    "No worker is registered at livekit-server itself: none of its own jobs was seen in the last hour.",
  async run(surroundings) {
    const redis = await redisOf(surroundings).client();
    const agents = await new OwnWorkers(redis).list(surroundings.clock.now());
    if (agents.length === 0)
      return [ok("no job of a worker of livekit-server's own was seen in the last hour")];
    const names = agents.slice(0, NAMED).map((agent) => (agent === "" ? "(without a name)" : agent));
    const more = agents.length > NAMED ? `, and ${agents.length - NAMED} more` : "";
    return [
      warn(
        `workers of ${names.join(", ")}${more} are registered at livekit-server itself`,
        "set their LIVEKIT_URL to Muster's url and start them again; for up to an hour after that, dispatches from tokens wait 1.5 s",
      ),
    ];
  },
};
