/**
 * Owns the count of commands that a client issues, for the metric and for the budgets on Redis work per dispatch.
 * A script is one command, a pipeline as many as it holds; one that is sent again after a reconnect or a redirection is
 * the same command still. What ioredis says for itself while it connects is not counted.
 */
import type { Command } from "ioredis";
import type { RedisClient } from "./connect.js";

export interface CommandCount {
  total(): number;
  /** Counts by the command's name in lower case. */
  byName(): Record<string, number>;
  reset(): void;
}

const HANDSHAKE = new Set(["hello", "auth", "select", "client", "info", "readonly"]);

/** Counts from now on. Wraps the client's `sendCommand`, so call it once a client. `onCommand` hears each one counted. */
export function countCommands(client: RedisClient, onCommand?: (name: string) => void): CommandCount {
  const counts = new Map<string, number>();
  const seen = new WeakSet<object>();
  const send = client.sendCommand;
  client.sendCommand = function counted(this: RedisClient, command: Command, ...rest: unknown[]) {
    const name = command.name.toLowerCase();
    const isHandshake = client.status !== "ready" && HANDSHAKE.has(name);
    if (!isHandshake && !seen.has(command)) {
      seen.add(command);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      onCommand?.(name);
    }
    return Reflect.apply(send, this, [command, ...rest]);
  };
  return {
    total: () => [...counts.values()].reduce((sum, count) => sum + count, 0),
    byName: () => Object.fromEntries(counts),
    reset: () => counts.clear(),
  };
}
