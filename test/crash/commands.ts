/**
 * Owns which Redis commands belong to an operation, and what they are called. Left out is what comes with time or with a
 * connection, whatever a process is asked: it would make points out of nothing. Among it are the looks at timers and
 * indexes; they change nothing, so to die behind one is to die behind the command before it.
 */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { scriptNames } from "../bench/script-names.js";
import type { Command } from "../kit/flaky-proxy/triggers.js";

const OF_CONNECTIONS = new Set(["HELLO", "CLIENT", "INFO", "AUTH", "SELECT", "PING", "XREAD", "XTRIM"]);
const TIMED = new Set([
  "node renew-lease",
  "node claim-build",
  "node keep-inbox",
  "node due-names",
  "node reschedule-due",
  "node remove-due",
  "ledger assert-gateway",
  "ledger sample-sessions",
  "ledger list-due",
  "ledger list-waiting",
  "ledger rest",
  "ledger sweep-ended",
  "queue moveStalledJobsToWait",
  "queue extendLocks",
]);

/** What a proxy sees of an argument. */
const SEEN_BYTES = 64;
const queueScripts = await queueScriptTexts();
const names = new Map([
  ...scriptNames(),
  ...queueScripts.map(([name, text]) => [createHash("sha1").update(text).digest("hex"), name] as const),
]);
/** BullMQ sends the text itself the first time on a connection. */
const namesByStart = new Map(queueScripts.map(([name, text]) => [text.slice(0, SEEN_BYTES), name]));

/** `ledger admit`, `queue moveToActive`, `XADD`. */
export function nameOf({ name, firstArgument }: Command): string {
  if (name === "EVAL") return namesByStart.get(firstArgument) ?? name;
  if (name !== "EVALSHA") return name;
  return names.get(firstArgument) ?? `script ${firstArgument.slice(0, 8)}`;
}

export function isOfOperation(command: Command): boolean {
  return !OF_CONNECTIONS.has(command.name) && !TIMED.has(nameOf(command));
}

/** BullMQ's own. */
async function queueScriptTexts(): Promise<[name: string, text: string][]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("bullmq")), "scripts");
  const found: [string, string][] = [];
  for (const file of readdirSync(folder).filter((name) => /-\d+\.js$/.test(name))) {
    const scripts = (await import(join(folder, file))) as Record<string, { name?: string; content?: string }>;
    for (const { name, content } of Object.values(scripts)) {
      if (name === undefined || content === undefined) continue;
      found.push([`queue ${name}`, content]);
    }
  }
  return found;
}
