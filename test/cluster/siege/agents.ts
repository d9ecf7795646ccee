/**
 * Owns the names of the agents in a siege. What an agent's workers are like is in its name, so that the end of a job can
 * be judged by its order: who reports is known to have finished, who is silent is not.
 */

export const KINDS = ["python", "node", "canary"] as const;
export type AgentKind = (typeof KINDS)[number];

export const agentOf = (kind: AgentKind, zone: string): string => `${kind}-${zone}`;
