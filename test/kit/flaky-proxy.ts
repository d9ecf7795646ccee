/**
 * Owns the faults between Muster and Redis: a TCP proxy with real sockets on 127.0.0.1, whose verbs are in force at
 * once, also for bytes it holds. Never invents or reorders bytes. Nothing in it is random.
 *
 * One proxy is one Redis. The nodes of a Redis Cluster announce their own addresses, which lead past a proxy: put one in
 * front of each node, and give ioredis a `natMap` from every announced "host:port" to its proxy's.
 */
import type { Server, Socket } from "node:net";
import { Connection } from "./flaky-proxy/connection.js";
import { listenOn, listenOnFreePort } from "./flaky-proxy/listen.js";
import type { Weather } from "./flaky-proxy/pipe.js";
import { type CommandMatch, type Direction, type Trigger, Triggers } from "./flaky-proxy/triggers.js";

export interface FlakyProxy {
  readonly port: number;
  /** `redis://…` of the proxy. */
  readonly url: string;
  /** Whatever is forwarded, either way, is so `ms` after it came in. Infinity holds it back until pass(). */
  delay(ms: number): void;
  /** Ends delay(), drop() and halfClose(). Connections on which something was lost are cut, the others go on. */
  pass(): void;
  /** Swallows bytes and ends both ways: connections, also new ones, are open and nothing moves. */
  drop(): void;
  /** Resets all connections there are now. What was forwarded before still reaches Redis, and no more. */
  cut(): void;
  /** New connections are refused, as by a host that listens no more; those there are go on. */
  refuse(): void;
  accept(): Promise<void>;
  /** One direction stops: its bytes are swallowed until pass(), or it is ended (FIN) on the connections there are now. */
  halfClose(direction: Direction, how: "swallow" | "fin"): void;
  /**
   * Acts when `n` more commands have been forwarded to Redis, counted over all connections, and before any byte that
   * follows the n-th. ioredis sends commands of its own (HELLO, CLIENT, INFO), so mostly a `match` is wanted. Traffic
   * does not wait for an action that takes time: to end a process at this point, drop() or cut() first.
   */
  afterCommands(n: number, action: () => unknown, match?: CommandMatch): Trigger;
  /** The same for bytes in one direction, over all connections: the n-th may be in the middle of a frame. */
  afterBytes(n: number, direction: Direction, action: () => unknown): Trigger;
  dropAfterBytes(n: number, direction: Direction): Trigger;
  /**
   * The n-th command from now reaches Redis and is executed, but instead of its reply the client gets an end (FIN). Replies
   * to commands before it on that connection arrive, and commands behind it do not reach Redis.
   */
  replyLost(n: number, match?: CommandMatch): Trigger;
  /** Since the start. Commands are those forwarded, by name in capitals. */
  readonly counts: FlakyProxyCounts;
  stop(): Promise<void>;
}

export interface FlakyProxyCounts {
  readonly connections: number;
  readonly commands: number;
  readonly byName: Readonly<Record<string, number>>;
  readonly swallowedBytes: number;
}

export async function startFlakyProxy({
  target,
}: {
  target: { host: string; port: number };
}): Promise<FlakyProxy> {
  const weather: Weather = { delayMs: 0, swallows: { "to-redis": false, "to-client": false } };
  const triggers = new Triggers<Connection>();
  const connections = new Set<Connection>();
  const counts = { connections: 0, commands: 0, byName: {} as Record<string, number>, swallowedBytes: 0 };
  const open = (client: Socket) => {
    counts.connections += 1;
    const connection = new Connection({
      client,
      target,
      weather,
      triggers,
      swallowed: (bytes) => {
        counts.swallowedBytes += bytes;
      },
      commandForwarded: ({ name }) => {
        counts.commands += 1;
        counts.byName[name] = (counts.byName[name] ?? 0) + 1;
      },
    });
    connections.add(connection);
    void connection.closed.then(() => connections.delete(connection));
  };
  const listening = await listenOnFreePort(open);
  const { port } = listening;
  let server: Server | undefined = listening.server;

  const each = (act: (connection: Connection) => void) => [...connections].forEach(act);
  const change = (changed: Partial<Record<Direction, boolean>>, delayMs = weather.delayMs) => {
    Object.assign(weather.swallows, changed);
    weather.delayMs = delayMs;
    each((connection) => connection.settle());
  };
  const drop = () => change({ "to-redis": true, "to-client": true });
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    delay(ms) {
      if (!(ms >= 0)) throw new Error(`ms must be 0 or more, not ${ms}`);
      change({}, ms);
    },
    pass() {
      each((connection) => {
        if (connection.isBroken) connection.cut();
      });
      change({ "to-redis": false, "to-client": false }, 0);
    },
    drop,
    cut: () => each((connection) => connection.cut()),
    refuse() {
      server?.close();
      server = undefined;
    },
    async accept() {
      server ??= await listenOn(port, open);
    },
    halfClose(direction, how) {
      if (how === "swallow") change({ [direction]: true });
      else each((connection) => connection.sendFin(direction));
    },
    afterCommands: (n, action, match) => triggers.afterCommands(n, match, action),
    afterBytes: (n, direction, action) => triggers.afterBytes(n, direction, action),
    dropAfterBytes: (n, direction) => triggers.afterBytes(n, direction, drop),
    replyLost: (n, match) => triggers.afterCommands(n, match, (connection) => connection.loseReply()),
    get counts() {
      return { ...counts, byName: { ...counts.byName } };
    },
    async stop() {
      server?.close();
      server = undefined;
      triggers.abandon();
      each((connection) => connection.destroy());
      await Promise.all([...connections].map((connection) => connection.closed));
    },
  };
}
