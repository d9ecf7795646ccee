/**
 * Owns what a process measures of its connections to Redis: the commands that it issues, how long its scripts take, and
 * whether it is connected. Call it once for the clients of a process, before the first command.
 */
import type { Metrics } from "../metrics.js";
import { countCommands } from "./command-count.js";
import type { RedisClient } from "./connect.js";
import { observeScripts } from "./script.js";

/** `commands`: the client that scripts run on, which says whether the process is connected. `blocking`: those that wait for messages. */
export function measureRedis(
  metrics: Metrics,
  { commands, blocking = [] }: { commands: RedisClient; blocking?: readonly RedisClient[] },
): void {
  const issued = metrics.counter("redis_commands_total");
  countCommands(commands, (command) => issued.add({ command }));
  const durations = metrics.histogram("ledger_script_duration_seconds");
  const failures = metrics.counter("ledger_script_failures_total");
  observeScripts(commands, {
    ran: (script, seconds) => durations.observe({ script }, seconds),
    refused: () => failures.add({ kind: "transient" }),
    failed: () => failures.add({ kind: "failed" }),
  });
  const reconnects = metrics.counter("redis_reconnects_total");
  for (const client of [commands, ...blocking]) onReconnect(client, () => reconnects.add({}));
  const connected = metrics.gauge("redis_connected");
  metrics.beforeRender(async () => connected.set({}, commands.status === "ready" ? 1 : 0));
}

/** Not at each try: an outage is one loss, however long it lasts, and a connection that never was is none. */
function onReconnect(client: RedisClient, told: () => void): void {
  let wasReady = client.status === "ready";
  client.on("ready", () => {
    if (wasReady) told();
    wasReady = true;
  });
}
