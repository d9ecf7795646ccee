/** What deployments need, reckoned from figures that are easy to reckon with. */
import { expect, test } from "vitest";
import { ceilingsOf, needsOf } from "./needs.js";
import { someFigures, someSizing } from "./some-sizing.js";
import { partsOf } from "./tables.js";

const SOCKETS = 1_000;
const MIB = 1_024 ** 2;

test("nothing to do is two of each, with the least that is asked for", () => {
  const figures = someFigures({ gatewayPeakRss: 100, dispatcherPeakRss: 129, apiPeakRss: 100 });
  const { gateway, dispatcher, api, redis } = needsOf({ workers: 0, perSecond: 0 }, figures, SOCKETS);
  expect(gateway).toEqual({ replicas: 2, cpu: 100, memoryMiB: 128 });
  expect(dispatcher).toEqual({ replicas: 2, cpu: 100, memoryMiB: 192 });
  expect(api).toEqual({ replicas: 2, cpu: 100, memoryMiB: 128 });
  expect(redis).toMatchObject({ busy: 0, masters: 1, aofKiBPerS: 0, dataMiB: { 1: 1, 24: 1 } });
});

test("cores are counted with one process away, each busy for 60 % of one at most", () => {
  const figures = someFigures({ slowApiCpu: 100, fastApiCpu: 4 });
  const api = (perSecond: number) => needsOf({ workers: 0, perSecond }, figures, SOCKETS).api;
  expect(api(6)).toMatchObject({ replicas: 2, cpu: 1_000 });
  expect(api(7)).toMatchObject({ replicas: 3, cpu: 600 });
  expect(api(200)).toMatchObject({ replicas: 3, cpu: 700 });
});

test("workers are divided among the gateways that are left, no more than measured on each", () => {
  const figures = someFigures({ gatewayPeakRss: 100, gatewayRss: 20, stormPeakRss: 32 });
  const gateway = (workers: number) => needsOf({ workers, perSecond: 0 }, figures, SOCKETS).gateway;
  expect(gateway(1_000)).toMatchObject({ replicas: 2, memoryMiB: 192 });
  expect(gateway(1_001)).toMatchObject({ replicas: 3, memoryMiB: 160 });
});

test("load reports cost what one costs, every 2.5 s", () => {
  const figures = someFigures({ gatewayIdleCpu: 50, gatewayReportCpu: 0.125, redisReportCpu: 0.125 });
  const { gateway, redis } = needsOf({ workers: 6_000, perSecond: 0 }, figures, 20_000);
  expect(gateway).toMatchObject({ replicas: 2, cpu: 1_000 });
  expect(redis.busy).toBeCloseTo(0.3);
});

test("Redis holds workers, running and waiting jobs, and those that ended for as long as they are kept", () => {
  const figures = someFigures({
    redisBaseMemory: 2,
    redisWorkerMemory: MIB / 100,
    redisRunningMemory: MIB / 300,
    redisParkedMemory: MIB / 600,
    redisEndedMemory: MIB / 3_600,
  });
  const { redis } = needsOf({ workers: 100, perSecond: 10 }, figures, SOCKETS);
  expect(redis.dataMiB[1]).toBeCloseTo(2 + 1 + 10 + 10 + 10);
  expect(redis.dataMiB[24]).toBeCloseTo(2 + 1 + 10 + 10 + 240);
});

test("a Redis that would be too busy is divided", () => {
  const figures = someFigures({ fastRedisCpu: 3.1 });
  expect(needsOf({ workers: 0, perSecond: 200 }, figures, SOCKETS).redis.masters).toBe(2);
});

test("what is full first comes first; what cost nothing is never full", () => {
  const figures = someFigures({
    ...{ fastGatewayCpu: 0, fastDispatcherCpu: 2, fastApiCpu: 4, fastRedisCpu: 1 },
    ...{ gatewayIdleCpu: 60, gatewayReportCpu: 0.1 },
  });
  expect(ceilingsOf(figures)).toEqual([
    { process: "api", perSecond: 250, workers: undefined },
    { process: "dispatcher", perSecond: 500, workers: undefined },
    { process: "Redis", perSecond: 1_000, workers: 2_500 },
    { process: "gateway", perSecond: undefined, workers: 10_000 },
  ]);
});

test("the tables say it in rows", () => {
  const parts = partsOf(someSizing({ gatewayPeakRss: 100, gatewayReportCpu: 0.1, redisBaseMemory: 2_048 }));
  expect(parts.services).toMatch(/^\| 10,000 +\| +200 \| +3 × 550m, 160 → 320 MiB \|/m);
  expect(parts.redis).toMatch(/^\| 100 +\| +1 \| .* 2 GiB \| .* 6 GiB \|/m);
  expect(parts.ceilings).toMatch(/^\| gateway +\| +1,000 \| +24,000 \|$/m);
  expect(parts.autoscaling).toContain('threshold: "3500"');
  expect(parts.machine).toContain("Measured on 2026-01-01: 2 cores of a cpu");
});
