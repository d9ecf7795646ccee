/**
 * `npm start`, and `node services/standalone/dist/main.js`: all of Muster in one process, with a redis-server of its own
 * when none is given.
 */

import { resolve } from "node:path";
import { DispatchError } from "@muster/domain/errors";
import { exitOnBadConfig, loadConfig } from "@muster/runtime/config";
import { createLifecycle } from "@muster/runtime/lifecycle";
import { createLog } from "@muster/runtime/log";
import { describeRedisUrl } from "@muster/runtime/redis/url";
import { productVersion } from "@muster/runtime/version";
import { banner } from "./banner.js";
import { standaloneSchema } from "./config.js";
import { findRedisServer } from "./redis/find-redis-server.js";
import { type OwnRedis, startOwnRedis } from "./redis/own-redis.js";
import { startStandalone } from "./start-standalone.js";

/** Beyond the drain itself: the last writes, closing, and Redis writing to disk. */
const STOP_SLACK_MS = 15_000;

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
const log = createLog({ level: config.logLevel, service: "standalone" });
const lifecycle = createLifecycle({ log, deadlineMs: config.drainMs + STOP_SLACK_MS });
const dataDir = resolve(config.dataDir);
const say = (line: string) => process.stdout.write(`${line}\n`);
lifecycle.installSignals();

try {
  const own = config.redisUrl === undefined ? await bringRedis() : undefined;
  const redisUrl = config.redisUrl ?? own?.url ?? "";
  const { port, transport } = await startStandalone({ config, redisUrl, lifecycle, log });
  if (own !== undefined) keepRedis(own);
  process.stdout.write(
    banner({
      version: productVersion(),
      host: config.host,
      port,
      transport,
      redis: own === undefined ? describeRedisUrl(redisUrl) : `own redis-server (${describeRedisUrl(redisUrl)})`,
      dataDir: own === undefined ? undefined : dataDir,
      devKeys: config.keys === undefined,
      workerLivekitUrl: config.workerLivekitUrl,
    }),
  );
} catch (error) {
  log.error({ err: error }, "start failed");
  process.stderr.write(`Muster could not start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof DispatchError ? 2 : 1);
}

async function bringRedis(): Promise<OwnRedis> {
  const isRoot = process.getuid?.() === 0;
  const program = await findRedisServer({ env: process.env, folder: dataDir, say, isRoot });
  return startOwnRedis({ program, folder: dataDir, env: process.env });
}

/** Ends with it: a redis-server that dies under us is an outage that nobody would bring back. */
function keepRedis(own: OwnRedis): void {
  lifecycle.onStop("redis-server", "after the last who could write", () => own.stop());
  void own.died.then(async (how) => {
    log.error({ how }, "the redis-server that Muster started is gone; ending");
    await lifecycle.stop(how);
    process.exit(1);
  });
}
