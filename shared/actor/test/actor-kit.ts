/**
 * Owns what the tests of this folder share: log lines that can be looked at, nodes with a lease, and hosts whose actors
 * write down what they live through.
 */
import { randomBytes } from "node:crypto";
import type { Actor, ActorContext } from "@muster/actor/actor";
import { ActorHost, type ActorHostOptions } from "@muster/actor/actor-host";
import { createDueIndex, type DueIndex } from "@muster/actor/due-index";
import type { NodeRole } from "@muster/actor/keys";
import { NodeLease } from "@muster/actor/node-lease";
import { idFrom } from "@muster/domain/ids";
import { systemClock } from "@muster/runtime/clock";
import type { Log } from "@muster/runtime/log";
import type { RedisClient } from "@muster/runtime/redis/connect";

export interface LogLine {
  level: "debug" | "info" | "warn" | "error";
  fields: object;
  msg: string;
}

export function recordingLog(lines: LogLine[] = []): Log {
  const at = (level: LogLine["level"]) => (fields: object, msg: string) =>
    void lines.push({ level, fields, msg });
  const log: Log = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => log,
  };
  return log;
}

export const newNodeId = (): string => idFrom("node", randomBytes(14));

export interface LeaseTimes {
  leaseMs?: number;
  renewEveryMs?: number;
  role?: NodeRole;
}

export function makeLease(redis: RedisClient, { role = "dispatcher", ...times }: LeaseTimes = {}): NodeLease {
  return new NodeLease({
    redis,
    nodeId: newNodeId(),
    role,
    clock: systemClock,
    log: recordingLog(),
    newGeneration: () => randomBytes(8).toString("hex"),
    ...times,
  });
}

/** A host and what its actors saw. `nextDue` is what their reviews answer; `onTurn` may hold a turn up. */
export interface TestHost {
  lease: NodeLease;
  host: ActorHost<string>;
  index: DueIndex;
  received: { name: string; message: string }[];
  forwarded: { name: string; message: string }[];
  reviewed: string[];
  nextDue: (name: string) => number | undefined;
  onTurn: (name: string) => Promise<void> | undefined;
}

export async function startHost(
  redis: RedisClient,
  options: Partial<ActorHostOptions> = {},
  times: LeaseTimes = {},
): Promise<TestHost> {
  const lease = makeLease(redis, times);
  const index = createDueIndex({ redis });
  const received: TestHost["received"] = [];
  const forwarded: TestHost["forwarded"] = [];
  const reviewed: string[] = [];
  const createActor = (name: string, _context: ActorContext<string>): Actor<string> => ({
    start: async () => {},
    receive: (message) => {
      received.push({ name, message });
      return test.onTurn(name);
    },
    review: async () => {
      reviewed.push(name);
      return test.nextDue(name);
    },
    mayRest: () => true,
    stop: async () => {},
  });
  const host = new ActorHost<string>({
    lease,
    index,
    createActor,
    forward: (name, message) => void forwarded.push({ name, message }),
    keyOf: () => undefined,
    clock: systemClock,
    random: Math.random,
    log: recordingLog(),
    options,
  });
  const test: TestHost = {
    lease,
    host,
    index,
    received,
    forwarded,
    reviewed,
    nextDue: () => undefined,
    onTurn: () => undefined,
  };
  host.start();
  await lease.start();
  return test;
}

/** Something to wait at until a test opens it. */
export function makeGate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}
