/**
 * What the suites of this folder share: a Redis, a caller, and parts that end with the test that started them.
 */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { waitUntil } from "@muster/test/kit/wait-until";
import { afterAll, afterEach, beforeAll } from "vitest";
import { type Caller, createCaller } from "./caller.js";
import { type DispatcherOptions, runDispatcher, runGateway } from "./kit.js";

type Stoppable = { stop(): Promise<unknown> };

export function setStage(name: string) {
  let redis: RedisServer;
  let caller: Caller;
  let count = 0;
  const toStop: Stoppable[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    caller = createCaller(redis.url);
  });
  afterEach(async () => {
    redis.thaw();
    for (const part of toStop.splice(0).reverse()) await part.stop();
  });
  afterAll(async () => {
    await caller.stop();
    await redis.stop();
  });

  function keep<T extends Stoppable>(part: T): T {
    toStop.push(part);
    return part;
  }
  const stage = {
    get redis() {
      return redis;
    },
    get caller() {
      return caller;
    },
    keep,
    freshNamespace: () => `default:${name}-${++count}`,
    dispatcher: async (options: DispatcherOptions = {}) => keep(await runDispatcher(redis.url, options)),
    gateway: async () => keep(await runGateway(redis.url)),
    stateOf: async (namespace: string, job: string) => (await caller.job(namespace, job)).state,
    /** A job that one worker of the namespace runs, or has accepted; and the gateway where further offers arrive. */
    async runningJob(namespace: string, worker: "reporting" | "silent", startMs?: number) {
      const gateway = await stage.gateway();
      const session = await caller.session(namespace, "greeter", gateway.nodeId);
      const { job } = await caller.order(namespace, "greeter");
      const offer = await waitUntil("it is offered", () => gateway.offers().find((one) => one.job === job));
      await caller.take(offer, worker, startMs);
      /** The offers of this job after the first one. */
      const offeredAgain = () => gateway.offers().filter((one) => one.job === job && one.epoch > offer.epoch);
      return { gateway, session, job, offer, offeredAgain };
    },
  };
  return stage;
}
