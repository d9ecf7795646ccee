/**
 * Reckons from the figures what a deployment needs. Every service is to do with one of its processes away; what is
 * assumed of jobs and what is left free are constants here, and said in the guide.
 */
import { type Figures, REPORT_EVERY_S } from "./figures.js";

/** The part of a core that a process, or Redis, is to use when it is busiest. */
export const BUSY = 0.6;
/** Of memory, for what was not measured. */
export const MEMORY_MARGIN = 1.25;
/** A limit on memory, by the request. */
export const LIMIT_FACTOR = 2;
/** What jobs are taken to be like. */
export const JOB_S = 300;
/** How long all jobs may have to wait for workers: it must fit into Redis. */
export const WAIT_S = 600;
export const RETENTIONS_H = [1, 24] as const;
/** The file is rewritten when it has doubled; the old one and the new one are there at the same time. */
export const DISK_FACTOR = 3;
/** The part of what was measured on one gateway that is to be on each. */
export const SOCKETS_SHARE = 0.7;

/** So that one may go. */
export const MIN_REPLICAS = 2;
const CORE = 1_000;
const CPU_STEP = 50;
const CPU_LEAST = 100;
const MEMORY_STEP_MIB = 32;
const KIB_PER_MIB = 1_024;
const MIB = 1_024 ** 2;
const HOUR_S = 3_600;
/** Below it dispatches are taken to cost what they did at the lower rate. */
const SLOW_UP_TO = 50;

export interface Deployment {
  readonly workers: number;
  readonly perSecond: number;
}

export interface ServiceNeeds {
  readonly replicas: number;
  /** Of each, in thousandths of a core. */
  readonly cpu: number;
  /** Of each: what to request. */
  readonly memoryMiB: number;
}

export interface RedisNeeds {
  /** Of one core. */
  readonly busy: number;
  /** 1: no Cluster is needed for its CPU. */
  readonly masters: number;
  /** What it holds, by how many hours ended jobs are kept. */
  readonly dataMiB: Readonly<Record<(typeof RETENTIONS_H)[number], number>>;
  readonly aofKiBPerS: number;
}

export interface Needs {
  readonly gateway: ServiceNeeds;
  readonly dispatcher: ServiceNeeds;
  readonly api: ServiceNeeds;
  readonly redis: RedisNeeds;
}

/** `sockets`: how many were measured on one gateway. More than that is promised of none. */
export function needsOf({ workers, perSecond }: Deployment, f: Figures, sockets: number): Needs {
  const per = costs(f, perSecond <= SLOW_UP_TO ? "slow" : "fast");
  const socketKiB = Math.max(f.gatewayRss, f.stormPeakRss);
  const dataMiB = (hours: number) =>
    f.redisBaseMemory +
    (workers * f.redisWorkerMemory +
      perSecond *
        (JOB_S * f.redisRunningMemory + WAIT_S * f.redisParkedMemory + hours * HOUR_S * f.redisEndedMemory)) /
      MIB;
  const redisMs = workers * reportsMs(f).redis + perSecond * per.redis;
  return {
    gateway: serviceNeeds({
      cpuMs: workers * reportsMs(f).gateway + perSecond * per.gateway,
      atLeast: Math.ceil(workers / sockets),
      memoryMiB: (others) => f.gatewayPeakRss + ((workers / others) * socketKiB) / KIB_PER_MIB,
    }),
    dispatcher: serviceNeeds({ cpuMs: perSecond * per.dispatcher, memoryMiB: () => f.dispatcherPeakRss }),
    api: serviceNeeds({ cpuMs: perSecond * per.api, memoryMiB: () => f.apiPeakRss }),
    redis: {
      busy: redisMs / CORE,
      masters: Math.max(1, Math.ceil(redisMs / CORE / BUSY)),
      dataMiB: { 1: dataMiB(1), 24: dataMiB(24) },
      aofKiBPerS: (perSecond * per.aofBytes) / KIB_PER_MIB,
    },
  };
}

interface Load {
  /** Milliseconds of CPU in a second, over all its processes. */
  readonly cpuMs: number;
  /** Processes that must be there, with one away. */
  readonly atLeast?: number;
  /** Of each, when `others` of them do it all. */
  readonly memoryMiB: (others: number) => number;
}

function serviceNeeds({ cpuMs, atLeast = 1, memoryMiB }: Load): ServiceNeeds {
  const others = Math.max(MIN_REPLICAS - 1, atLeast, Math.ceil(cpuMs / (CORE * BUSY)));
  return {
    replicas: others + 1,
    cpu: Math.max(CPU_LEAST, upTo(CPU_STEP, cpuMs / others / BUSY)),
    memoryMiB: upTo(MEMORY_STEP_MIB, memoryMiB(others) * MEMORY_MARGIN),
  };
}

/** What a connected worker costs in a second: its socket, and its load reports. */
function reportsMs(f: Figures): { gateway: number; redis: number } {
  return {
    gateway: f.gatewayIdleCpu / 1_000 + f.gatewayReportCpu / REPORT_EVERY_S,
    redis: f.redisReportCpu / REPORT_EVERY_S,
  };
}

function costs(f: Figures, rate: "slow" | "fast") {
  return {
    gateway: f[`${rate}GatewayCpu`],
    dispatcher: f[`${rate}DispatcherCpu`],
    api: f[`${rate}ApiCpu`],
    redis: f[`${rate}RedisCpu`],
    aofBytes: f[`${rate}AofBytes`],
  };
}

export interface Ceiling {
  readonly process: "gateway" | "dispatcher" | "api" | "Redis";
  /** With which one core is used up, when nothing else is done; undefined: it has nothing to do with it. */
  readonly perSecond: number | undefined;
  readonly workers: number | undefined;
}

/** What is used up first comes first. */
export function ceilingsOf(f: Figures): Ceiling[] {
  const { gateway, redis } = reportsMs(f);
  const per = costs(f, "fast");
  const ceiling = (process: Ceiling["process"], perDispatch: number, perWorker?: number): Ceiling => ({
    process,
    perSecond: perDispatch > 0 ? CORE / perDispatch : undefined,
    workers: perWorker !== undefined && perWorker > 0 ? CORE / perWorker : undefined,
  });
  const all = [
    ceiling("gateway", per.gateway, gateway),
    ceiling("dispatcher", per.dispatcher),
    ceiling("api", per.api),
    ceiling("Redis", per.redis, redis),
  ];
  return all.sort((a, b) => (a.perSecond ?? Number.MAX_VALUE) - (b.perSecond ?? Number.MAX_VALUE));
}

function upTo(step: number, value: number): number {
  return Math.ceil(value / step) * step;
}
