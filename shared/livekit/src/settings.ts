/**
 * The settings by which Muster's own parts reach livekit-server, the same for each of them; and the client made of them.
 * What workers are told to dial is another setting, of the gateway.
 */

import type { Clock } from "@muster/runtime/clock";
import { keys, url } from "@muster/runtime/config-fields";
import type { Metrics } from "@muster/runtime/metrics";
import { createRoomService } from "./create-room-service.js";
import type { RoomService } from "./room-service.js";

const URL_PROBLEM = "must be the plain url of livekit-server, without user, query or fragment";

export const livekitFields = {
  livekitUrl: url(["http", "https", "ws", "wss"])
    .refine((text) => isPlain(new URL(text)), { error: URL_PROBLEM })
    .optional()
    .describe(
      "livekit-server that Muster itself talks to; calls to its API that come here are passed on to it.",
    ),
  livekitKeys: keys
    .optional()
    .describe(
      'Keys of that LiveKit, with which it signs webhooks: lines of "key: secret"; unset: those of keys.',
    ),
};

/** The LiveKit that Muster deals with itself. */
export interface LivekitSettings {
  /** undefined: Muster only hears of it by webhooks, if at all. */
  url: string | undefined;
  /** What its webhooks are signed with; the first signs what is asked of it. */
  keys: ReadonlyMap<string, string>;
}

/** undefined when no url is known, or no key to sign with. With `metrics`, its calls are counted there. */
export function roomServiceOf(
  { url, keys }: LivekitSettings,
  clock: Clock,
  metrics?: Metrics,
): RoomService | undefined {
  const [first] = keys;
  if (url === undefined || first === undefined) return undefined;
  const [apiKey, apiSecret] = first;
  const calls = metrics?.counter("livekit_calls_total");
  return createRoomService({
    ...{ url, apiKey, apiSecret, clock, random: Math.random },
    onCall: (method, outcome) => calls?.add({ method, outcome }),
  });
}

function isPlain({ username, password, search, hash }: URL): boolean {
  return [username, password, search, hash].every((part) => part === "");
}
