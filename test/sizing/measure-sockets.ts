/**
 * Measures what idle workers cost: their sockets, their load reports, and their coming back all at once when the gateway
 * that held them was killed.
 */
import { waitUntil } from "../kit/wait-until.js";
import { Crowd } from "./crowd.js";
import { atLeastNothing, type Figures } from "./figures.js";
import { heapInUse, WITH_DEBUGGER } from "./heap-in-use.js";
import { type House, quietly, settle, startHouse } from "./house.js";
import type { Settings } from "./options.js";
import { cpuMsOf, memoryOf } from "./process-readings.js";
import { readRedis } from "./redis-readings.js";

type SocketFigure = Extract<
  keyof Figures,
  | "gatewayBaseRss"
  | "gatewayRss"
  | "gatewayHeap"
  | `${"gateway" | "redis"}ReportCpu`
  | "gatewayIdleCpu"
  | `redisWorker${string}`
  | `storm${string}`
>;

/** Time for every attempt that an SDK makes. */
const STORM_LIMIT_MS = 90_000;

export async function measureSockets({ SOCKETS, SECONDS }: Settings): Promise<Pick<Figures, SocketFigure>> {
  const house = await startHouse(WITH_DEBUGGER);
  const crowd = new Crowd({ size: SOCKETS, agent: "sizing" });
  try {
    await settle(SECONDS);
    const nobody = await quietly(house, SECONDS / 4);
    const emptyHeap = await heapInUse(house.gateway);
    const [empty, inRedis] = [memoryOf(house.gateway.pid), await readRedis(house.redis)];
    await crowd.come(house.gateway);
    const idle = await quietly(house, SECONDS / 2);
    const grown = (await readRedis(house.redis)).dataBytes - inRedis.dataBytes;

    crowd.report();
    const reportsBefore = crowd.reports;
    const reporting = await quietly(house, SECONDS);
    const reports = crowd.reports - reportsBefore;
    const idleShare = reporting.seconds / idle.seconds;
    const perReport = (spent: number, idly: number) => atLeastNothing(spent - idly * idleShare) / reports;
    const full = memoryOf(house.gateway.pid);
    const heap = await heapInUse(house.gateway);
    return {
      gatewayBaseRss: empty.rssKiB / 1_024,
      gatewayRss: atLeastNothing(full.rssKiB - empty.rssKiB) / SOCKETS,
      gatewayHeap: atLeastNothing(heap - emptyHeap) / 1_024 / SOCKETS,
      gatewayIdleCpu:
        (1_000 / SOCKETS) *
        atLeastNothing(idle.cpuMs.gateway / idle.seconds - nobody.cpuMs.gateway / nobody.seconds),
      gatewayReportCpu: perReport(reporting.cpuMs.gateway, idle.cpuMs.gateway),
      redisReportCpu: perReport(reporting.redis.cpuMs, idle.redis.cpuMs),
      redisWorkerBytes: reporting.redis.netBytes / reporting.seconds / SOCKETS,
      redisWorkerMemory: grown / SOCKETS,
      ...(await storm(house, crowd, { SOCKETS, SECONDS })),
    };
  } finally {
    await crowd.leave();
    await house.stop();
  }
}

async function storm(
  house: House,
  crowd: Crowd,
  { SOCKETS: size, SECONDS }: Pick<Settings, "SOCKETS" | "SECONDS">,
): Promise<Pick<Figures, Extract<keyof Figures, `storm${string}`>>> {
  const other = await house.another("gateway");
  await settle(SECONDS);
  const [empty, cpuBefore, before] = [memoryOf(other.pid), cpuMsOf(other.pid), await readRedis(house.redis)];
  crowd.dialFromNowOn(other);
  const startedAtMs = performance.now();
  await house.gateway.kill();
  await waitUntil("the sockets of the gateway that was killed are gone", () => crowd.registered < size);
  await waitUntil("all are registered at the other gateway", () => crowd.registered === size, {
    deadlineMs: STORM_LIMIT_MS,
  });
  return {
    stormSeconds: (performance.now() - startedAtMs) / 1_000,
    stormGatewayCpu: (cpuMsOf(other.pid) - cpuBefore) / size,
    stormRedisCpu: ((await readRedis(house.redis)).cpuMs - before.cpuMs) / size,
    stormPeakRss: atLeastNothing(memoryOf(other.pid).peakKiB - empty.rssKiB) / size,
  };
}
