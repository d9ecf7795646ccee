/**
 * Whether the Redis user may run what Muster runs, on Muster's keys. Asks by ACL DRYRUN, which changes nothing; where that
 * is not allowed, or older than Redis 7, by running each command on keys of its own, which it removes.
 */

import { randomBytes } from "node:crypto";
import type { RedisClient } from "@muster/runtime/redis/connect";
import type { Check } from "../check.js";
import { fail, ok } from "../finding.js";
import { KEYS_MADE, ON_CLUSTER, WITH_KEYS, WITHOUT_KEYS } from "../needed-commands.js";
import { redisOf } from "../surroundings.js";

/** How the keys of Muster begin; what is denied for one of these is denied for the others. */
const GROUPS = ["doctor", "nodes", "index:0", "default"];
const KEPT_S = "60";

interface Denied {
  commands: Set<string>;
  /** One of Muster's keys may not be touched. */
  hasKeys: boolean;
}

export const redisRights: Check = {
  name: "redis-rights",
  looksAt: "The Redis user may run every command that Muster and BullMQ run, on muster:* keys.",
  async run(surroundings) {
    const redis = redisOf(surroundings);
    const client = await redis.client();
    const user = String(await client.call("ACL", "WHOAMI").catch(() => redis.target.username ?? "default"));
    const commands = [...WITHOUT_KEYS, ...(redis.target.kind === "cluster" ? ON_CLUSTER : []), ...WITH_KEYS];
    const denied = (await byDryRun(client, user, commands)) ?? (await byTrying(client, commands));
    if (denied.commands.size === 0 && !denied.hasKeys) {
      return [ok(`the user ${user} may run the ${commands.length} commands that Muster runs`)];
    }
    const missing = [...denied.commands].sort();
    const says = [
      ...(missing.length > 0 ? [`the user ${user} may not run ${missing.join(", ")}`] : []),
      ...(denied.hasKeys ? [`the user ${user} may not touch all keys of muster:*`] : []),
    ].join("; ");
    const rights = [...(denied.hasKeys ? ["~muster:*"] : []), ...missing.map((command) => `+${command}`)];
    return [fail(says, `ACL SETUSER ${user} ${rights.join(" ")}, and ACL SAVE or the same in the ACL file`)];
  },
};

/** undefined where it may not be asked. */
async function byDryRun(
  client: RedisClient,
  user: string,
  commands: readonly string[][],
): Promise<Denied | undefined> {
  const denied: Denied = { commands: new Set(), hasKeys: false };
  try {
    for (const group of GROUPS) {
      const answers = await Promise.all(
        named(commands, group).map((command) => client.call("ACL", "DRYRUN", user, ...command)),
      );
      for (const [index, answer] of answers.entries()) {
        if (answer !== "OK") note(String(answer), commands[index] ?? [], denied);
      }
    }
    return denied;
  } catch {
    return undefined;
  }
}

/** In the order given, on one connection; only what is said of rights counts. */
async function byTrying(client: RedisClient, commands: readonly string[][]): Promise<Denied> {
  const denied: Denied = { commands: new Set(), hasKeys: false };
  const group = `doctor/${randomBytes(6).toString("hex")}`;
  const own = named(
    KEYS_MADE.map((key) => [key]),
    group,
  ).flat();
  try {
    for (const [index, command] of named(commands, group).entries()) {
      const [name = "", ...args] = command;
      const answer = await client.call(name, ...args).catch((error: Error) => error);
      if (answer instanceof Error && answer.message.startsWith("NOPERM")) {
        note(answer.message, commands[index] ?? [], denied);
      }
    }
  } finally {
    await Promise.all(own.map((key) => remove(client, key)));
  }
  return denied;
}

/** By whichever way is allowed; an empty value that ends by itself is the last of them. */
async function remove(client: RedisClient, key: string): Promise<void> {
  for (const way of [
    ["del", key],
    ["unlink", key],
    ["expire", key, "0"],
    ["set", key, "", "EX", KEPT_S],
  ]) {
    const [name = "", ...args] = way;
    const answer = await client.call(name, ...args).catch((error: Error) => error);
    if (!(answer instanceof Error)) return;
  }
}

function note(answer: string, command: readonly string[], denied: Denied): void {
  // "… no permissions to run the 'xadd' command", "… to access the 'muster:…' key", "… to access a key".
  if (/\bkeys?\b/.test(answer) && !/run the '/.test(answer)) denied.hasKeys = true;
  else denied.commands.add(rightTo(command));
}

/** As ACL SETUSER takes it: "client|setname". */
function rightTo([name = "", sub = ""]: readonly string[]): string {
  return ["client", "cluster", "xinfo"].includes(name) ? `${name}|${sub}` : name;
}

function named(commands: readonly (readonly string[])[], group: string): string[][] {
  return commands.map((command) => command.map((part) => part.replace("{key}", `muster:{${group}}:doctor:`)));
}
