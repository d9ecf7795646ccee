/**
 * Owns what must agree about drains: who is held by which, of the sessions that follow the drains as they are now.
 */
import type { Hash, Snapshot } from "./snapshot.js";

interface Drain {
  id: string;
  kind: string;
  value: string;
  agent: string;
}

export function drainsOf(hashes: Snapshot["hashes"]): Drain[] {
  return Object.values(hashes.get("drains") ?? {}).map((text) => JSON.parse(text) as Drain);
}

export function drainProblems({ hashes, zsets, texts }: Snapshot): string[] {
  const drains = drainsOf(hashes);
  const revision = texts.get("drains-revision") ?? "0";
  const found: string[] = [];
  for (const [key, session] of hashes) {
    if (!key.startsWith("session:")) continue;
    const id = key.slice("session:".length);
    const holding = drains.filter((drain) => covers(drain, id, session)).map((drain) => drain.id);
    const follows = (session.drains_revision ?? "0") === revision;
    const drained = session.drained ?? "";
    if (follows && drained !== holding.sort().join())
      found.push(`${id} is held by ${drained}, should be by ${holding}`);
  }
  for (const { id, kind, value } of drains) {
    const isThere = hashes.has(`session:${value}`) || zsets.get("deadlines")?.has(`session|${value}`);
    if (kind === "worker" && !isThere) found.push(`${id} outlived its worker`);
  }
  return found;
}

function covers({ kind, value, agent }: Drain, id: string, session: Hash): boolean {
  if (kind === "worker") return value === id;
  if (kind === "deployment") return session.agent === agent && session.deployment === value;
  return session[kind] === value;
}
