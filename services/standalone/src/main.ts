/**
 * `npm start`, and `node services/standalone/dist/main.js`: all of Muster in one process, with a redis-server of its own
 * when none is given.
 */

import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SCHEMA_EXIT_CODE, SchemaRefused } from "@muster/actor/schema-refused";
import { DispatchError } from "@muster/domain/errors";
import { ListenError, requireFree } from "@muster/gateway/transport/listen-error";
import { exitOnBadConfig, loadConfig } from "@muster/runtime/config";
import { listenHostFrom } from "@muster/runtime/config-fields";
import { createLifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { explainTakenPort } from "@muster/runtime/port-owner";
import { describeRedisUrl } from "@muster/runtime/redis/url";
import { productVersion } from "@muster/runtime/version";
import { banner } from "./banner.js";
import { standaloneSchema } from "./config.js";
import { findRedisServer } from "./redis/find-redis-server.js";
import { type OwnRedis, startOwnRedis } from "./redis/own-redis.js";
import { type Standalone, startStandalone } from "./start-standalone.js";

/** Beyond the drain itself: the last writes, closing, and Redis writing to disk. */
const STOP_SLACK_MS = 15_000;
/** For closing sockets when Redis is gone; whatever else a stop does would wait for it in vain. */
const STOP_WITHOUT_REDIS_MS = 2_000;

const given = exitOnBadConfig(() =>
  loadConfig({
    schema: standaloneSchema,
    env: process.env,
    argv: process.argv.slice(2),
    envPrefix: "MUSTER_",
    flags: ["dev"],
  }),
);
// Without keys everybody's are taken, so that a first try needs none; the banner says so loudly.
const config = { ...given, dev: given.dev || given.keys === undefined };
const host = listenHostFrom(config);
const log = createLog({ level: config.logLevel, service: "standalone" });
const lifecycle = createLifecycle({ log, deadlineMs: config.drainMs + STOP_SLACK_MS });
const dataDir = resolve(config.dataDir);
const say = (line: string) => process.stdout.write(`${line}\n`);
lifecycle.installSignals();
// A terminal that is closed ends what runs in it. Who started us with nohup gave us no terminal, and does not want it.
if (process.stdout.isTTY) process.on("SIGHUP", () => process.kill(process.pid, "SIGTERM"));

try {
  // Before anything is started: Muster twice is the most frequent mistake, and costs nothing this way.
  await requireFree(host, config.port);
  const own = config.redisUrl === undefined ? await bringRedis() : undefined;
  const redisUrl = config.redisUrl ?? own?.url ?? "";
  const { port, transport } = await startOn(redisUrl, own);
  if (own !== undefined) keepRedis(own);
  if (config.maxJobsPerWorker > 0 && config.livekitUrl === undefined) {
    log.warn(
      { maxJobsPerWorker: config.maxJobsPerWorker },
      "no LiveKit is known, so workers that report nothing (Node) keep their places; set livekitUrl or maxJobsPerWorker=0",
    );
  }
  process.stdout.write(
    banner({
      version: productVersion(),
      host,
      port,
      transport,
      redis:
        own === undefined ? describeRedisUrl(redisUrl) : `own redis-server (${describeRedisUrl(redisUrl)})`,
      dataDir: own === undefined ? undefined : dataDir,
      devKeys: config.dev,
      workerLivekitUrl: config.workerLivekitUrl,
    }),
  );
} catch (error) {
  log.debug({ err: error }, "start failed");
  process.stderr.write(`Muster could not start: ${await explain(error)}\n`);
  if (error instanceof SchemaRefused) process.exit(SCHEMA_EXIT_CODE);
  process.exit(error instanceof DispatchError ? 2 : 1);
}

async function bringRedis(): Promise<OwnRedis> {
  const isRoot = process.getuid?.() === 0;
  const program = await findRedisServer({ env: process.env, folder: dataDir, say, isRoot });
  return startOwnRedis({ program, folder: dataDir, env: process.env, say });
}

/** Without its server it would wait for ever: who reconnects cannot know that nobody brings it back. */
async function startOn(redisUrl: string, own: OwnRedis | undefined): Promise<Standalone> {
  const started = startStandalone({ config, redisUrl, lifecycle, log });
  const failed = own?.died.then((how) => Promise.reject(new Error(how)));
  return failed === undefined ? started : Promise.race([started, failed]);
}

/** Ends with it: a redis-server that dies under us is an outage that nobody would bring back. */
function keepRedis(own: OwnRedis): void {
  lifecycle.onStop("redis-server", "after the last who could write", () => own.stop());
  void own.died.then(async (how) => {
    log.error({ how }, "the redis-server that Muster started is gone; ending");
    await Promise.race([lifecycle.stop(how), delay(STOP_WITHOUT_REDIS_MS)]);
    process.exit(1);
  });
}

async function explain(error: unknown): Promise<string> {
  if (error instanceof ListenError && error.code === "EADDRINUSE")
    return explainTakenPort(error.host, error.port);
  return error instanceof Error ? error.message : String(error);
}
