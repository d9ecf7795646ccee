/**
 * Whether somebody makes rooms: LiveKit when the first participant joins (room.auto_create), or Muster for its orders
 * (MUSTER_CREATE_ROOMS). Asked by validating a token for a room that is not there, which makes none.
 */

import type { Check } from "../check.js";
import { fail, ok, Skip, warn } from "../finding.js";
import { livekitOf } from "../livekit-of.js";
import { answered, DOCTORS_ROOMS, validateJoin } from "../livekit-probe.js";

export const roomCreation: Check = {
  name: "room-creation",
  looksAt: "Rooms come to be: by LiveKit's room.auto_create, or by MUSTER_CREATE_ROOMS.",
  async run(surroundings) {
    const { probe, key } = livekitOf(surroundings);
    const { createRooms } = surroundings.settings;
    const room = `${DOCTORS_ROOMS}none-${surroundings.mark}`;
    const answer = await validateJoin(probe, key, room);
    if (!answered(answer)) {
      throw new Skip(`LiveKit did not answer (${answer.problem}); livekit-reach says more`);
    }
    switch (answer.status) {
      case 200:
        return [ok("LiveKit makes a room when somebody joins it")];
      case 404: {
        // Without auto_create this is livekit-server's answer, but to those who may make rooms. An unknown path is 404 to all.
        const asMaker = await validateJoin(probe, key, room, { mayCreate: true });
        if (!answered(asMaker) || asMaker.status !== 200) break;
        if (createRooms)
          return [ok("Muster makes the rooms of its orders; LiveKit makes none (room.auto_create is off)")];
        return [
          warn(
            "neither LiveKit (room.auto_create is off) nor Muster makes rooms: an order waits until somebody else does",
            "MUSTER_CREATE_ROOMS=true, or auto_create: true under room in livekit.yaml; fine where your backend calls CreateRoom",
          ),
        ];
      }
      case 401:
        return [
          fail("LiveKit refuses Muster's token for joining a room", "livekit-keys says which key, and why"),
        ];
    }
    return [
      warn(
        `LiveKit answered ${answer.status} when it was asked whether a room may be joined`,
        "let /rtc/validate through to livekit-server; clients ask it when they cannot connect",
      ),
    ];
  },
};
