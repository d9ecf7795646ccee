/** One worker asks for simulated jobs of a megabyte each, faster than the ledger takes them in. */
import { encodeWorkerMessage } from "@muster/wire/agent-codec";
import type { ParticipantInfo, Room } from "@muster/wire/generated/livekit";
import { type Attack, MARK } from "../attack.js";
import { flood } from "./flood.js";

const PART_BYTES = 500 * 1024;

export const simulateFlood: Attack = {
  name: "simulate-flood",
  about: "one worker sends simulate_job of 1,000 KiB, 1,500 times and as fast as they are taken",
  leaves: "allowed",
  spoils: true,
  leastSeconds: 5,
  run: async (scene) => {
    const metadata = "x".repeat(PART_BYTES);
    const value = {
      room: { name: `${MARK}-simulated`, metadata } as Room,
      participant: { identity: MARK, metadata } as ParticipantInfo,
    };
    const frame = encodeWorkerMessage({ case: "simulateJob", value });
    return await flood(scene, { agent: `${MARK}-simulating`, frame, frames: 1_500, leastFrames: 600 });
  },
};
