/**
 * Owns a real livekit-server for tests: one node on 127.0.0.1 that keeps its rooms in Redis, so that they outlive it. The
 * program is the one that LIVEKIT_SERVER_BIN names, else the one that `npm test` or `node scripts/lib/livekit-server.mjs`
 * built, of the version that LIVEKIT_SERVER_VERSION names or of the newest.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { builtLivekitServer, NEWEST } from "../../scripts/lib/livekit-server.mjs";
import { freePort } from "../kit/ports.js";
import type { RedisServer } from "../kit/redis-server.js";
import { waitUntil } from "../kit/wait-until.js";

const { LIVEKIT_SERVER_VERSION = NEWEST } = process.env;
/** Empty when there is none: tests that need one skip, and at-hand.test.ts says so, or fails in CI. */
export const LIVEKIT_SERVER_BIN =
  process.env.LIVEKIT_SERVER_BIN ?? builtLivekitServer(LIVEKIT_SERVER_VERSION) ?? "";

export interface LivekitServer {
  readonly url: string;
  readonly wsUrl: string;
  /** SIGKILL: nobody is told anything. */
  kill(): Promise<void>;
  /** Another node, on the same ports and Redis. */
  start(): Promise<void>;
  output(): string;
}

export interface LivekitServerOptions {
  apiKey: string;
  apiSecret: string;
  redis: RedisServer;
  webhookUrl: string;
  /** Whether a room is made for whoever joins it; on when not given. */
  autoCreate?: boolean;
}

/** Seconds for which a room stays open that nobody entered, and that everybody left. */
const EMPTY_S = 3;
const LEFT_S = 1;
const KEPT_CHARACTERS = 200_000;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export async function startLivekitServer(options: LivekitServerOptions): Promise<LivekitServer> {
  const [port, tcpPort, udpPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const { apiKey, apiSecret, redis, webhookUrl, autoCreate = true } = options;
  const config = {
    ...{ port, bind_addresses: ["127.0.0.1"], keys: { [apiKey]: apiSecret } },
    redis: { address: `127.0.0.1:${redis.port}` },
    webhook: { api_key: apiKey, urls: [webhookUrl] },
    room: { auto_create: autoCreate, empty_timeout: EMPTY_S, departure_timeout: LEFT_S },
    rtc: {
      ...{ tcp_port: tcpPort, udp_port: udpPort, use_external_ip: false },
      ...{ node_ip: "127.0.0.1", enable_loopback_candidate: true },
    },
    logging: { level: "info" },
  };
  const url = `http://127.0.0.1:${port}`;
  let output = "";
  let child: ChildProcess;
  const start = async () => {
    // JSON is YAML.
    child = spawn(LIVEKIT_SERVER_BIN, ["--config-body", JSON.stringify(config)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    const { stdout, stderr } = child;
    for (const stream of [stdout, stderr])
      stream?.on("data", (chunk) => {
        output = `${output}${chunk}`.slice(-KEPT_CHARACTERS);
      });
    const isUp = async () => {
      if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}`);
      return (await fetch(url)).ok;
    };
    await waitUntil("livekit-server answers", isUp, { deadlineMs: 30_000 }).catch((error: Error) => {
      throw new Error(`${error.message}\n${output.slice(-4_000)}`);
    });
  };
  await start();
  return {
    ...{ url, wsUrl: url.replace("http", "ws"), start },
    async kill() {
      running.delete(child);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
    output: () => output,
  };
}
