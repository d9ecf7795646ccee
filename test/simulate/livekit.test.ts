/** The model of livekit-server's algorithm does what its source says, in the cases that can be told apart. */
import { expect, test } from "vitest";
import type { Account } from "./account.js";
import { Agenda } from "./agenda.js";
import { LivekitPlacement } from "./livekit.js";
import type { World } from "./placement.js";
import type { LoadReport, SdkWorker } from "./sdk-worker.js";
import type { TracedJob } from "./trace.js";

const HOP_MS = 2;
const ANSWER_MS = 10;
/** One way to the nodes, there and back, and what is waited for bids; then to the worker. */
const FASTEST_MS = HOP_MS + 2 * HOP_MS + 200 + HOP_MS + ANSWER_MS;
const JOB: TracedJob = { atMs: 0, durationMs: 1_000, cost: 0.1, priority: 0 };

interface Told {
  load?: number;
  status?: LoadReport["status"];
  /** What it answers, offer by offer; yes after that. */
  answers?: boolean[];
}

/** Workers that say what they are told to, in a cluster; every job's fate by the order of arrival. */
async function scene(told: Told[], { nodes = 1, seed = 1 } = {}) {
  const agenda = new Agenda(HOP_MS);
  const asked: string[] = [];
  const placed: { index: number; worker: string; atMs: number }[] = [];
  let [dropped, rejected] = [0, 0];
  const workers = told.map(({ load = 0, status = "available", answers = [] }, index) => {
    const id = `AW_${index}`;
    const report = (): LoadReport => ({ load, status, jobCount: 0 });
    const answer = () => {
      asked.push(id);
      return answers.shift() ?? true;
    };
    return { id, report, answer } as unknown as SdkWorker;
  });
  const account = { dropped: () => dropped++, rejected: () => rejected++ } as unknown as Account;
  const world: World = {
    ...{ agenda, account, workers, answerMs: ANSWER_MS },
    assign: ({ index }, { id }, atMs) => void placed.push({ index, worker: id, atMs }),
  };
  const placement = new LivekitPlacement({ nodes, seed, targetLoad: 0.7 });
  await placement.start(world);
  return {
    asked,
    placed,
    counts: () => ({ dropped, rejected }),
    reportAll: (atMs: number) =>
      agenda.at(atMs, (nowMs): undefined => {
        for (const worker of workers) placement.report(worker, nowMs);
      }),
    arrive: (count: number, atMs: number) =>
      agenda.at(atMs, (nowMs): undefined => {
        for (let index = 0; index < count; index++) placement.arrive({ index, job: JOB }, nowMs);
      }),
    run: () => agenda.runUntil(60_000, () => {}),
  };
}

test("every dispatch waits for bids, 200 ms, though there is one node", async () => {
  const s = await scene([{}]);
  s.arrive(1, 100);
  await s.run();
  expect(s.placed).toEqual([{ index: 0, worker: "AW_0", atMs: 100 + FASTEST_MS }]);
});

test("the node with the most room below the target load, added up, takes every job of a burst", async () => {
  // Even indexes are on the first node: 0.1 + 0.1 of room; odd ones on the second: 0.3.
  const s = await scene([{ load: 0.6 }, { load: 0.4 }, { load: 0.6 }, { load: 0.7 }], { nodes: 2 });
  s.reportAll(10);
  s.arrive(200, 100);
  await s.run();
  expect(new Set(s.placed.map(({ worker }) => worker))).toEqual(new Set(["AW_1", "AW_3"]));
  expect(s.placed).toHaveLength(200);
});

test("on the node, workers are drawn by what is free of them, also above the target load, by loads as last reported", async () => {
  const s = await scene([{ load: 0.2 }, { load: 0.8 }]);
  s.reportAll(10);
  s.arrive(2_000, 100);
  await s.run();
  const first = s.placed.filter(({ worker }) => worker === "AW_0").length;
  // 0.8 against 0.2; three deviations are 54.
  expect(Math.abs(first - 1_600)).toBeLessThan(54);
});

test("a job that no node has room for below the target load is dropped, though workers are available", async () => {
  const s = await scene([{ load: 0.7 }, { load: 0.75 }]);
  s.reportAll(10);
  s.arrive(1, 100);
  await s.run();
  expect(s.counts()).toEqual({ dropped: 1, rejected: 0 });
  expect(s.asked).toEqual([]);
});

test("a worker that says FULL bids nothing and is not asked; before its first report it is available", async () => {
  const s = await scene([{ load: 0.1, status: "full" }, { load: 0.6 }]);
  s.reportAll(10);
  s.arrive(50, 100);
  await s.run();
  expect(new Set(s.asked)).toEqual(new Set(["AW_1"]));
  const fresh = await scene([{ load: 0.9, status: "full" }]);
  fresh.arrive(1, 100);
  await fresh.run();
  expect(fresh.placed).toHaveLength(1);
});

test("a worker that refuses is passed over once; when all have refused, the job is dropped", async () => {
  const s = await scene([{ answers: [false] }, { answers: [false] }, { answers: [false] }]);
  s.arrive(1, 100);
  await s.run();
  expect([...s.asked].sort()).toEqual(["AW_0", "AW_1", "AW_2"]);
  expect(s.counts()).toEqual({ dropped: 1, rejected: 3 });
});

test("only the node that won asks its workers", async () => {
  const s = await scene([{ load: 0.1, answers: [false] }, { load: 0.2 }], { nodes: 2 });
  s.reportAll(10);
  s.arrive(1, 100);
  await s.run();
  expect(s.asked).toEqual(["AW_0"]);
  expect(s.counts()).toEqual({ dropped: 1, rejected: 1 });
});

test("after 3 s of refusals the caller has given up", async () => {
  const many = Array.from({ length: 400 }, () => ({ answers: [false] }));
  const s = await scene(many);
  s.arrive(1, 100);
  await s.run();
  const offers = Math.ceil((3_000 - 2 * HOP_MS - 200) / (HOP_MS + ANSWER_MS));
  expect(s.counts()).toEqual({ dropped: 1, rejected: offers });
});

test("a node has 25 dispatches under way at a time", async () => {
  const s = await scene([{}]);
  s.arrive(26, 100);
  await s.run();
  const times = s.placed.map(({ atMs }) => atMs - 100);
  expect(times.filter((ms) => ms === FASTEST_MS)).toHaveLength(25);
  expect(times.filter((ms) => ms === 2 * FASTEST_MS)).toHaveLength(1);
});
