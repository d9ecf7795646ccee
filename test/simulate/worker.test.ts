/** Simulated workers measure, fill up and answer as the stock Python SDK does. */
import { expect, test } from "vitest";
import { Machine } from "./machine.js";
import { SdkWorker } from "./sdk-worker.js";

const JOB = { atMs: 0, durationMs: 60_000, cost: 0.2, priority: 0 };
const machine = (speed = 1, baseLoad = 0.1) => new Machine({ speed, baseLoad, targetLoad: 0.7, phaseMs: 0 });
const worker = (own: Machine, noise = 0) =>
  new SdkWorker({
    id: "AW_1",
    machine: own,
    seed: 1,
    threshold: 0.7,
    refuses: true,
    noise,
    idleProcesses: 4,
  });

test("a load shows in a report by the part of the last two and a half seconds in which it was there", () => {
  const own = machine();
  own.add(0.5, 10_000);
  expect(own.measured(10_000)).toBeCloseTo(0.1, 6);
  expect(own.measured(10_499)).toBeCloseTo(0.1, 6);
  expect(own.measured(10_500)).toBeCloseTo(0.2, 6);
  expect(own.measured(11_250)).toBeCloseTo(0.3, 6);
  expect(own.measured(12_500)).toBeCloseTo(0.6, 6);
  own.add(-0.5, 12_600);
  expect(own.measured(13_000)).toBeCloseTo(0.1 + (0.5 * (4 * 500 + 100)) / 2_500, 6);
});

test("a fast machine is loaded less by the same job, and none measures more than 1", () => {
  const [slow, fast] = [machine(1, 0), machine(4, 0)];
  for (const own of [slow, fast]) own.add(1.2, 0);
  expect(fast.measured(5_000)).toBeCloseTo(0.3, 6);
  expect(slow.measured(5_000)).toBeCloseTo(1, 6);
});

test("time above the target load, and above what there is, is counted to the millisecond", () => {
  const own = machine(1, 0);
  for (let jobs = 0; jobs < 7; jobs++) own.add(0.1, 0);
  expect(own.excess(1_000)).toEqual({ overloadedMs: 0, saturatedMs: 0 });
  own.add(0.1, 1_000);
  own.add(0.5, 1_250);
  own.add(-0.5, 1_300);
  own.add(-0.1, 2_001);
  expect(own.excess(9_000)).toEqual({ overloadedMs: 1_001, saturatedMs: 50 });
  expect(own.peak).toBeCloseTo(1.3, 6);
});

test("a worker says FULL, and refuses, from its threshold on; jobs that it has not launched count as an average one", () => {
  const own = machine(1, 0);
  const sdk = worker(own);
  // Without a job, one that is reserved counts as a quarter of the threshold: the fourth makes it full.
  expect([1, 2, 3, 4, 5].map(() => sdk.answer(0))).toEqual([true, true, true, true, false]);
  for (let jobs = 0; jobs < 4; jobs++) sdk.launch(JOB, 0);
  expect(sdk.report(3_000)).toMatchObject({ status: "full", jobCount: 4 });
  sdk.end(JOB, 3_000);
  expect(sdk.report(6_000)).toMatchObject({ status: "available", jobCount: 3 });
  // 0.6 of three: one more would be 0.8, but it is asked whether it is full now.
  expect([sdk.answer(6_000), sdk.answer(6_000)]).toEqual([true, false]);
  expect(sdk.jobs).toBe(4);
});

test("what a worker measures is off by its noise, never below 0 or above 1, and the same for the same seed", () => {
  const loads = (own: SdkWorker) => Array.from({ length: 200 }, (_, index) => own.report(index * 2_500).load);
  const [one, same] = [loads(worker(machine(1, 0.02), 0.05)), loads(worker(machine(1, 0.02), 0.05))];
  expect(one).toEqual(same);
  expect(Math.min(...one)).toBe(0);
  expect(Math.max(...one)).toBeGreaterThan(0.1);
  expect(Math.max(...loads(worker(machine(1, 1), 0.05)))).toBe(1);
});
