/**
 * Owns what the claim script says, as values. Who is beside us may be of another version: of what it says of itself only
 * what can be read is taken, and what is missing is that of a build from before there were claims.
 */
import { UNCLAIMED } from "@muster/domain/schema";
import type { Script } from "@muster/runtime/redis/script";
import { textReply } from "./lua-script.js";

export interface Neighbour {
  nodeId: string;
  /** Empty where it never claimed. */
  service: string;
  version: string;
  writes: number;
  livesWith: number;
  /** It and we cannot live together. */
  clashes: boolean;
}

export interface ClaimReply {
  /** `older`: we are older than what may run here. */
  status: "claimed" | "beside" | "older";
  oldest: number;
  newest: number;
  neighbours: readonly Neighbour[];
}

const STATUSES = ["claimed", "beside", "older"] as const;

export function parseClaim(raw: unknown, script: Script): ClaimReply {
  const [word, oldest, newest, ...parts] = textReply(raw, script);
  const status = STATUSES.find((one) => one === word);
  if (status === undefined) throw new Error(`script ${script.name} answered an undeclared status`);
  const neighbours: Neighbour[] = [];
  for (let at = 0; at + 2 < parts.length; at += 3) {
    neighbours.push(neighbour(parts[at] ?? "", parts[at + 1] ?? "", parts[at + 2] === "1"));
  }
  return { status, oldest: Number(oldest), newest: Number(newest), neighbours };
}

function neighbour(nodeId: string, text: string, clashes: boolean): Neighbour {
  const { service, version, writes, livesWith } = fieldsOf(text);
  return {
    ...{ nodeId, clashes },
    service: typeof service === "string" ? service : "",
    version: typeof version === "string" ? version : "",
    writes: Number(writes) || UNCLAIMED.writes,
    livesWith: Number(livesWith) || UNCLAIMED.livesWith,
  };
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
