/**
 * Whom a drain covers, as a caller gives it and as the ledger keeps it. Owns the drain's id, which follows from what it
 * covers: whoever asks for the same again gets the same drain.
 */

import { createHash } from "node:crypto";
import { isIP, isIPv6 } from "node:net";
import type { DrainTarget } from "@muster/domain/drain";
import { idFrom } from "@muster/domain/ids";
import { JOB_TYPES, poolName } from "@muster/domain/pool";
import type { StoredDrain } from "@muster/ledger/shapes";

export function drainId(namespace: string, target: DrainTarget): string {
  const agent = target.kind === "deployment" ? target.agentName : "";
  const parts = [namespace, target.kind, target.value, agent];
  return idFrom("drain", createHash("sha256").update(parts.join("\0")).digest());
}

export function targetOf({ kind, value, agent }: Omit<StoredDrain, "id">): DrainTarget {
  return kind === "deployment" ? { kind, value, agentName: agent } : { kind, value };
}

/** The pools that it is all of; none but for a deployment. */
export function drainedPools(target: DrainTarget): string[] {
  if (target.kind !== "deployment") return [];
  const { agentName, value: deployment } = target;
  return JOB_TYPES.map((type) => poolName({ agentName, type, deployment }));
}

/** An address in the spelling in which gateways know their workers'; undefined when it is none. */
export function plainAddress(text: string): string | undefined {
  if (isIP(text) === 0 || text.includes("%")) return undefined;
  if (!isIPv6(text)) return text;
  const short = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join(".");
}
