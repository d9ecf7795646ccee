/**
 * Measures what idle workers cost: their sockets, their load reports, and their coming back all at once when the gateway
 * that held them was killed.
 */
import { waitUntil } from "../kit/wait-until.js";
import { Crowd } from "./crowd.js";
import { atLeastNothing, type Figures } from "./figures.js";
import { type House, letPass, quietly, startHouse } from "./house.js";
import { scrape, sumIn } from "./metric-readings.js";
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

const HEAP_LOOKS = 5;
/** Time for every attempt that an SDK makes. */
const STORM_LIMIT_MS = 90_000;
/** What a process does only when it begins is over then. */
const BEGUN_MS = 1_000;

export async function measureSockets({ SOCKETS, SECONDS }: Settings): Promise<Pick<Figures, SocketFigure>> {
  const house = await startHouse();
  const crowd = new Crowd({ size: SOCKETS, agent: "sizing" });
  try {
    await letPass(BEGUN_MS);
    const nobody = await quietly(house, SECONDS / 4);
    const emptyHeap = await heapOf(house, SECONDS / 4);
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
    const heap = await heapOf(house, SECONDS / 4);
    const full = memoryOf(house.gateway.pid);
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
      ...(await storm(house, crowd, SOCKETS)),
    };
  } finally {
    await crowd.leave();
    await house.stop();
  }
}

/** What is in use after a collection, as far as it can be seen from outside: the least of some looks. */
async function heapOf({ gateway }: House, seconds: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < HEAP_LOOKS; look++) {
    least = Math.min(least, sumIn(await scrape(gateway), "nodejs_heap_size_used_bytes"));
    await letPass((1_000 * seconds) / HEAP_LOOKS);
  }
  return least;
}

async function storm(
  house: House,
  crowd: Crowd,
  size: number,
): Promise<Pick<Figures, Extract<keyof Figures, `storm${string}`>>> {
  const other = await house.another("gateway");
  await letPass(BEGUN_MS);
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
