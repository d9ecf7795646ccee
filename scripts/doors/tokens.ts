/** Owns the keys of the house under attack, and the tokens that its honest and other callers have. */
import { signAccessToken } from "@muster/wire/access-token";
import type { VideoGrant } from "@muster/wire/video-grant";

export const KEY = "doors-key";
export const SECRET = "doors-secret-that-is-long-enough";

const TTL_MS = 3_600_000;

export class Tokens {
  #made = 0;

  with(video: Partial<VideoGrant>, ttlMs = TTL_MS): string {
    // Each is another one, as those of different people are.
    const identity = `person-${process.pid}-${++this.#made}`;
    return signAccessToken({ apiKey: KEY, apiSecret: SECRET, nowMs: Date.now(), ttlMs, identity, video });
  }

  /** What every end user has. */
  endUser(room: string): string {
    return this.with({ roomJoin: true, room });
  }

  roomAdmin(room: string): string {
    return this.with({ roomAdmin: true, room });
  }

  operator(): string {
    return this.with({ roomAdmin: true, roomList: true });
  }

  worker(): string {
    return this.with({ agent: true });
  }
}
