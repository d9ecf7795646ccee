/**
 * Owns what the renewal script says, as values instead of positions in a list.
 */
import { loadScript, textReply } from "./lua-script.js";

export const RENEW_LEASE = loadScript("renew-lease", 2);

export interface Renewal {
  /** Redis time. */
  nowMs: number;
  /** When our lease ends, in Redis time. */
  expiryMs: number;
  /** Our lease had ended, or was gone, when it was renewed. */
  hadLapsed: boolean;
  generation: string;
  /** All that are live, ourselves included. */
  leases: { nodeId: string; expiryMs: number }[];
}

export function parseRenewal(reply: unknown): Renewal {
  const [status, nowMs, expiryMs, lapsed, generation, ...pairs] = textReply(reply, RENEW_LEASE);
  if (status !== "renewed" || generation === undefined) throw new Error("unexpected reply of renew-lease");
  const leases: Renewal["leases"] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    leases.push({ nodeId: pairs[index] ?? "", expiryMs: Number(pairs[index + 1]) });
  }
  return { nowMs: Number(nowMs), expiryMs: Number(expiryMs), hadLapsed: lapsed === "1", generation, leases };
}
