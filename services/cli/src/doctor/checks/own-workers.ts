/**
 * Whether workers are registered at livekit-server itself, beside Muster: their jobs were seen in the last hour. Both sides then
 * serve the same dispatches, and each of Muster's waits until livekit-server's workers had their time to claim it. One whose agent's
 * latest dispatch was not claimed may be gone: said too, since what it did before is what somebody asks about. Reads only.
 */

import { OwnWorkers, type SeenOwnWorker } from "@muster/livekit/own-workers";
import type { Check } from "../check.js";
import { ok, warn } from "../finding.js";
import { livekitOf, skipWhenSilent } from "../livekit-of.js";
import { DOCTORS_ROOMS } from "../livekit-probe.js";
import { redisOf } from "../surroundings.js";

const NAMED = 3;

export const ownWorkers: Check = {
  name: "own-workers",
  looksAt:
    "No worker is registered at livekit-server itself: none of its own jobs was seen in the last hour.",
  async run(surroundings, signal) {
    const redis = await redisOf(surroundings).client();
    const nowMs = surroundings.clock.now();
    const seen = await new OwnWorkers(redis).seen(nowMs);
    if (seen.length === 0) {
      // Nobody sees a job of theirs where LiveKit does not say what it gave away.
      const { roomService } = livekitOf(surroundings);
      await roomService.listRooms([`${DOCTORS_ROOMS}none`], { signal }).catch(skipWhenSilent);
      return [ok("no job of a worker of livekit-server's own was seen in the last hour")];
    }
    const counting = seen.filter(({ counts }) => counts);
    const gone = seen.filter(({ counts }) => !counts);
    return [
      ...(counting.length === 0 ? [] : [thatCount(counting, nowMs)]),
      ...(gone.length === 0 ? [] : [thatMayBeGone(gone, nowMs)]),
    ];
  },
};

function thatCount(seen: readonly SeenOwnWorker[], nowMs: number) {
  return warn(
    `workers of ${namesOf(seen, nowMs)} are registered at livekit-server itself`,
    "set their LIVEKIT_URL to Muster's url and start them again; for up to an hour after that, dispatches from tokens wait 1.5 s, and those of these agents 6 s until one was not claimed",
  );
}

function thatMayBeGone(seen: readonly SeenOwnWorker[], nowMs: number) {
  return warn(
    `workers of ${namesOf(seen, nowMs)} were registered at livekit-server itself; a dispatch of the agent was not claimed by them since, so they may be gone`,
    'see that none is left: livekit-server logs each as "worker registered"; this finding ends an hour after the last of their jobs',
  );
}

function namesOf(seen: readonly SeenOwnWorker[], nowMs: number): string {
  const names = seen.slice(0, NAMED).map(({ agent, seenAtMs }) => {
    const agoS = Math.max(0, Math.round((nowMs - seenAtMs) / 1_000));
    return `${agent === "" ? "(without a name)" : agent} (seen ${agoS < 120 ? `${agoS} s` : `${Math.round(agoS / 60)} min`} ago)`;
  });
  return `${names.join(", ")}${seen.length > NAMED ? `, and ${seen.length - NAMED} more` : ""}`;
}
