/** The LiveKit of the settings, as checks ask it: its url, a key, and RoomService with bounds that fit a check. */

import { createRoomService } from "@muster/livekit/create-room-service";
import { LivekitError } from "@muster/livekit/livekit-error";
import type { RoomService } from "@muster/livekit/room-service";
import { Skip } from "./finding.js";
import type { LivekitKey, ProbeDeps } from "./livekit-probe.js";
import { livekitKeys, type Surroundings } from "./surroundings.js";

const TRY_MS = 3_000;

export interface LivekitOf {
  probe: ProbeDeps;
  key: LivekitKey;
  roomService: RoomService;
}

/** @throws Skip without a url, or without a key to sign with */
export function livekitOf(surroundings: Surroundings): LivekitOf {
  const { settings, clock } = surroundings;
  if (settings.livekitUrl === undefined) throw new Skip("MUSTER_LIVEKIT_URL is not set");
  const [first] = livekitKeys(surroundings);
  if (first === undefined)
    throw new Skip("there is no key to sign with: neither MUSTER_LIVEKIT_KEYS nor MUSTER_KEYS");
  const [apiKey, apiSecret] = first;
  const key = { apiKey, apiSecret };
  return {
    probe: { url: settings.livekitUrl, clock, timeoutMs: TRY_MS },
    key,
    roomService: roomServiceWith(settings.livekitUrl, key, surroundings),
  };
}

export function roomServiceWith(
  url: string,
  key: LivekitKey,
  { clock }: Pick<Surroundings, "clock">,
): RoomService {
  const bounds = { tryMs: TRY_MS, overallMs: TRY_MS + 1_000, tries: 2 };
  return createRoomService({ ...key, url, clock, random: Math.random, bounds });
}

/** LiveKit's silence and its refusals are told once, by the checks of these. @throws Skip, or what it was given */
export function skipWhenSilent(error: unknown): never {
  if (!(error instanceof LivekitError)) throw error;
  throw new Skip(`LiveKit did not answer (${error.code}); livekit-reach and livekit-keys say why`);
}
