/**
 * Measures what dispatches cost: each from its order over its assignment to its end, at two steady rates and as fast as
 * they go; and then what the jobs of each kind take of Redis' memory, and what a scrape takes.
 */
import { waitUntil } from "../kit/wait-until.js";
import { Callers } from "./callers.js";
import { Crowd } from "./crowd.js";
import { atLeastNothing, type DispatchFigure, type Figures } from "./figures.js";
import { between, type House, quietly, type Spent, settle, startHouse } from "./house.js";
import { bucketsIn, growthOf, measureScrapes, quantileOf, scrape } from "./metric-readings.js";
import type { Settings } from "./options.js";
import { memoryOf } from "./process-readings.js";
import { readRedis } from "./redis-readings.js";

type Rate = "slow" | "fast";
type PerDispatch<R extends Rate = Rate> = Pick<Figures, `${R}${DispatchFigure}`>;
type JobMemory = Pick<Figures, `redis${"Ended" | "Running" | "Parked"}Memory`>;
type Services = "gateway" | "dispatcher" | "api";
type Scrapes = Pick<Figures, `${Services}Scrape${"Cpu" | "Size"}`>;
type PeakRss = Pick<Figures, `${Services}PeakRss`>;

export const PER_SECOND: Readonly<Record<Rate, number>> = { slow: 50, fast: 200 };
const CALLERS = 32;
const AGENT = "sizing";
const ABSENT_AGENT = "nobody";
const METADATA = "m".repeat(1_024);
const WARM_UP = 200;
const SETTLE_LIMIT_MS = 60_000;
/** Else a worker of ours, which reports no load at all, would be full between two reports at the highest rates. */
const ENV = { MUSTER_JOB_LOAD_PERCENT: "1" };

interface Stage {
  readonly house: House;
  readonly crowd: Crowd;
  readonly callers: Callers;
}

export async function measureDispatches(
  settings: Settings,
): Promise<PerDispatch & JobMemory & Scrapes & PeakRss & Pick<Figures, "redisBaseMemory" | "saturatedRate">> {
  const house = await startHouse(ENV);
  const callers = new Callers(house.api.url);
  const crowd = new Crowd({
    size: settings.WORKERS,
    agent: AGENT,
    onAssigned: (room) => callers.assigned(room),
  });
  const stage = { house, crowd, callers };
  try {
    const redisBaseMemory = (await readRedis(house.redis)).dataBytes / 1_024 ** 2;
    await crowd.come(house.gateway);
    crowd.reportOnce();
    crowd.report();
    await callers.asFastAsPossible(AGENT, 4, (calls) => calls >= WARM_UP);
    await settled(stage);
    const quiet = await quietWindow(stage, settings.SECONDS / 2);
    return {
      redisBaseMemory,
      ...(await steady(stage, "slow", settings.SECONDS, quiet)),
      ...(await steady(stage, "fast", settings.SECONDS, quiet)),
      saturatedRate: await saturate(stage, settings.SECONDS / 2),
      ...(await jobMemory(stage, settings)),
      ...(await scrapes(house)),
      gatewayPeakRss: memoryOf(house.gateway.pid).peakKiB / 1_024,
      dispatcherPeakRss: memoryOf(house.dispatcher.pid).peakKiB / 1_024,
      apiPeakRss: memoryOf(house.api.pid).peakKiB / 1_024,
    };
  } finally {
    await crowd.leave();
    await house.stop();
  }
}

interface Quiet extends Spent {
  readonly commands: number;
}

/** What the same workers cost without a dispatch; it is taken off what dispatches cost. */
async function quietWindow({ house }: Stage, seconds: number): Promise<Quiet> {
  const before = await house.commands();
  const spent = await quietly(house, seconds);
  return { ...spent, commands: (await house.commands()) - before };
}

async function settled({ crowd }: Stage): Promise<void> {
  await waitUntil("every job that was assigned has ended", () => crowd.assigned === crowd.ended, {
    deadlineMs: SETTLE_LIMIT_MS,
  });
}

async function steady<R extends Rate>(
  stage: Stage,
  rate: R,
  seconds: number,
  quiet: Quiet,
): Promise<PerDispatch<R>> {
  const { house, crowd, callers } = stage;
  const count = Math.round(PER_SECOND[rate] * seconds);
  const [commandsBefore, histogramBefore] = [await house.commands(), await durations(house)];
  const [assignedBefore, before] = [crowd.assigned, await house.read()];
  callers.forgetLatencies();
  await callers.steadily(AGENT, PER_SECOND[rate], count);
  await assigned(stage, assignedBefore + count);
  await settled(stage);
  await settle(seconds);
  const spent = between(before, await house.read());
  const commands = (await house.commands()) - commandsBefore;
  const histogram = growthOf(histogramBefore, await durations(house));

  const share = spent.seconds / quiet.seconds;
  const net = (of: (spent: Quiet | Spent) => number) => (of(spent) - of(quiet) * share) / count;
  const figures: Record<DispatchFigure, number> = {
    GatewayCpu: atLeastNothing(net(({ cpuMs }) => cpuMs.gateway)),
    DispatcherCpu: atLeastNothing(net(({ cpuMs }) => cpuMs.dispatcher)),
    ApiCpu: atLeastNothing(net(({ cpuMs }) => cpuMs.api)),
    RedisCpu: atLeastNothing(net(({ redis }) => redis.cpuMs)),
    Commands: (commands - quiet.commands * share) / count,
    RedisBytes: net(({ redis }) => redis.netBytes),
    AofBytes: net(({ redis }) => redis.aofBytes),
    P50: 1_000 * quantileOf(histogram, 0.5),
    P99: 1_000 * quantileOf(histogram, 0.99),
    ClientP50: callers.latencyMs(50),
    ClientP99: callers.latencyMs(99),
  };
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [`${rate}${name}`, value]),
  ) as unknown as PerDispatch<R>;
}

/** By whoever observes them. */
async function durations({ gateway, dispatcher, api }: House) {
  const texts = await Promise.all([gateway, dispatcher, api].map(scrape));
  return bucketsIn(texts.join("\n"), "muster_dispatch_duration_seconds");
}

async function assigned({ crowd }: Stage, count: number): Promise<void> {
  await waitUntil(`${count} jobs are assigned`, () => crowd.assigned >= count, {
    deadlineMs: SETTLE_LIMIT_MS,
  });
}

async function saturate(stage: Stage, seconds: number): Promise<number> {
  const { crowd, callers } = stage;
  const [startedAtMs, before] = [performance.now(), crowd.assigned];
  const until = startedAtMs + 1_000 * seconds;
  const calls = await callers.asFastAsPossible(AGENT, CALLERS, () => performance.now() >= until);
  await assigned(stage, before + calls);
  const rate = calls / ((performance.now() - startedAtMs) / 1_000);
  await settled(stage);
  return rate;
}

async function jobMemory(stage: Stage, { JOBS: jobs, SECONDS }: Settings): Promise<JobMemory> {
  const { house, crowd, callers } = stage;
  const perJob = async (agent: string, metadata: string, isDone: () => Promise<unknown>) => {
    await settle(SECONDS);
    const before = await readRedis(house.redis);
    await callers.asFastAsPossible(agent, CALLERS / 4, (calls) => calls >= jobs, metadata);
    await isDone();
    await settle(SECONDS);
    return ((await readRedis(house.redis)).dataBytes - before.dataBytes) / jobs;
  };
  const goal = () => crowd.assigned + jobs;
  const ended = goal();
  const redisEndedMemory = await perJob(AGENT, "", async () => {
    await assigned(stage, ended);
    await settled(stage);
  });
  crowd.jobMs = undefined;
  const running = goal();
  const redisRunningMemory = await perJob(AGENT, "", () => assigned(stage, running));
  crowd.jobMs = 0;
  crowd.endAll();
  await settled(stage);
  const redisParkedMemory = await perJob(ABSENT_AGENT, METADATA, async () => {});
  return { redisEndedMemory, redisRunningMemory, redisParkedMemory };
}

async function scrapes({ gateway, dispatcher, api }: House): Promise<Scrapes> {
  const [ofGateway, ofDispatcher, ofApi] = [
    await measureScrapes(gateway),
    await measureScrapes(dispatcher),
    await measureScrapes(api),
  ];
  return {
    gatewayScrapeCpu: ofGateway.cpuMs,
    gatewayScrapeSize: ofGateway.kiB,
    dispatcherScrapeCpu: ofDispatcher.cpuMs,
    dispatcherScrapeSize: ofDispatcher.kiB,
    apiScrapeCpu: ofApi.cpuMs,
    apiScrapeSize: ofApi.kiB,
  };
}
