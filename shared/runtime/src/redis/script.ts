/**
 * Owns how a Lua script is run: by its sha, and by its text where the server does not know it (a script cache is not
 * replicated, so every restart and failover forgets it).
 * Transient refusals are tried again here. That is safe because every script of ours answers the same when repeated,
 * and touches each key it may write before its first write: a refusal half-way has changed nothing.
 * Whoever measures a client is told how long each took.
 */
import { setTimeout as delay } from "node:timers/promises";
import { invariant } from "@muster/domain/assert";
import type { RedisClient } from "./connect.js";

export interface Script {
  name: string;
  /** SHA-1 of `source`, hex. */
  sha: string;
  source: string;
  keyCount: number;
}

export interface ScriptObserver {
  /** Answered; from the call to the reply, with repeats. */
  ran(name: string, seconds: number): void;
  /** Refused for now, and tried again. */
  refused(name: string): void;
  /** Given up. */
  failed(name: string): void;
}

const observers = new WeakMap<RedisClient, ScriptObserver>();

/** From now on `observer` hears of each script that runs over `client`; one a client. */
export function observeScripts(client: RedisClient, observer: ScriptObserver): void {
  observers.set(client, observer);
}

/**
 * A slot on its way to another node, a cluster or server that is only just starting, a master that is being replaced.
 * ioredis retries some of these itself on a Cluster; it retries none inside a script and none on a single connection.
 */
const TRANSIENT = [
  "TRYAGAIN",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "READONLY",
  "Script attempted to access a non local key",
];

const MAX_RETRIES = 8;
const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 500;

/**
 * Runs `script` and returns its reply as ioredis gives it. Gives up on transient refusals after about two seconds and
 * throws the last one. On Cluster all keys must share a slot, which ours do by their hash tag.
 */
export async function runScript(
  client: RedisClient,
  script: Script,
  keys: string[],
  args: (string | number | Buffer)[],
): Promise<unknown> {
  invariant(keys.length === script.keyCount, "a script was given another number of keys than it declares");
  const observer = observers.get(client);
  const startedAtMs = performance.now();
  for (let retry = 0; ; retry++) {
    try {
      const reply = await runOnce(client, script, keys, args);
      observer?.ran(script.name, (performance.now() - startedAtMs) / 1_000);
      return reply;
    } catch (error) {
      if (retry >= MAX_RETRIES || !isTransient(error)) {
        observer?.failed(script.name);
        throw error;
      }
      observer?.refused(script.name);
      await delay(Math.min(FIRST_RETRY_MS * 2 ** retry, LONGEST_RETRY_MS));
    }
  }
}

async function runOnce(
  client: RedisClient,
  script: Script,
  keys: string[],
  args: (string | number | Buffer)[],
) {
  try {
    return await client.evalsha(script.sha, script.keyCount, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return await client.eval(script.source, script.keyCount, ...keys, ...args);
  }
}

function isTransient(error: unknown): boolean {
  // Not only at the start: what a command inside a script was refused with may stand behind words about the script.
  return error instanceof Error && TRANSIENT.some((text) => error.message.includes(text));
}
