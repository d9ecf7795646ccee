/**
 * Owns a Muster in parts: gateway and api as processes on a Redis of their own, and the dispatcher in the test itself, so
 * that the test says what presence knows. Whatever the parts are told beside that is what their users can tell them.
 */
import { runDispatcher, staticPresence, testPolicy } from "../../services/dispatcher/test/kit.js";
import { startRedis } from "../kit/redis-server.js";
import { type ServiceProcess, startService } from "../kit/service-process.js";
import { API_KEY, API_SECRET, type DispatchDesk, dispatchDesk, printTail } from "./live-muster.js";

export interface SplitMuster extends DispatchDesk {
  /** Where workers dial. */
  readonly url: string;
  readonly presence: ReturnType<typeof staticPresence>;
  /** SIGTERM, and when it has drained another gateway on the same port. */
  drainGateway(): Promise<void>;
  /** For vitest's onTestFailed. */
  printOutput(): void;
  stop(): Promise<void>;
}

export interface SplitMusterOptions {
  graceMs: number;
  /** So soon a job whose worker says nothing counts as one that had its time to start. */
  startDeadlineMs: number;
}

const LEASE_MS = 3_000;
/** Longer than a stock worker takes to answer on a busy machine. */
const OFFER_MS = 10_000;

export async function startSplitMuster({
  graceMs,
  startDeadlineMs,
}: SplitMusterOptions): Promise<SplitMuster> {
  const redis = await startRedis();
  const presence = staticPresence();
  const dispatcher = await runDispatcher(redis.url, {
    ...{ presence, graceMs, leaseMs: LEASE_MS },
    claim: { ...testPolicy.claim, offerMs: OFFER_MS },
  });
  const shared = {
    MUSTER_REDIS_URL: redis.url,
    MUSTER_KEYS: `${API_KEY}: ${API_SECRET}`,
    MUSTER_LOG_LEVEL: "debug",
  };
  const startGateway = (port: Record<string, string> = {}) =>
    startService("gateway", {
      ...shared,
      MUSTER_GRACE_MS: String(graceMs),
      MUSTER_START_DEADLINE_MS: String(startDeadlineMs),
      MUSTER_DRAIN_MS: "500",
      ...port,
    });
  const started: ServiceProcess[] = [];
  const stop = async () => {
    for (const service of started.splice(0)) await service.stop();
    await dispatcher.stop();
    await redis.stop();
  };
  try {
    let gateway = await startGateway();
    started.push(gateway);
    const api = await startService("api", shared);
    started.push(api);
    return {
      url: gateway.url,
      ...dispatchDesk(api.url, redis),
      presence,
      async drainGateway() {
        started.splice(started.indexOf(gateway), 1);
        await gateway.stop();
        gateway = await startGateway({ MUSTER_PORT: String(gateway.port) });
        started.push(gateway);
      },
      printOutput: () => started.forEach(printTail),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
