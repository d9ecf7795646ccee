import { waitUntil } from "@muster/test/kit/wait-until";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { FRESH_WORKER, readReport, type StatusReport, type WorkerState } from "../src/load-sample.js";
import { bench, cleanUp, stopRedis } from "./gateway-kit.js";

afterEach(cleanUp);
afterAll(stopRedis);

const AVAILABLE = 0;
const FULL = 1;

describe("what a report says", () => {
  const read = (reports: StatusReport[], atMs: number[] = []) => {
    let state: WorkerState = FRESH_WORKER;
    return reports.map((report, index) => {
      const result = readReport(report, state, atMs[index] ?? 1_000 + index);
      state = result.state;
      return result;
    });
  };
  const last = (reports: StatusReport[], atMs?: number[]) => read(reports, atMs).at(-1);
  const report = (status: number | null, load: number, more: Partial<StatusReport> = {}): StatusReport => ({
    ...{ status, load, jobCount: 0, draining: false, seq: 0n },
    ...more,
  });

  it.each([
    [Number.NaN, "not_finite"],
    [Number.NEGATIVE_INFINITY, "not_finite"],
    [-0.1, "negative"],
  ])("refuses the load %s and keeps the last good one", (load, problem) => {
    expect(last([report(AVAILABLE, load)])).toMatchObject({
      problem,
      sample: { load: -1, status: "available" },
    });
  });

  it("takes a load above 1 for full, at load 1, until the next one", () => {
    expect(last([report(AVAILABLE, 1.5)])).toMatchObject({
      problem: "above_one",
      sample: { load: 1, status: "full", draining: false },
    });
    expect(last([report(AVAILABLE, 1.5), report(AVAILABLE, 0.5)])).toMatchObject({
      sample: { load: 0.5, status: "available" },
    });
  });

  it("takes an infinite load for full", () => {
    expect(last([report(AVAILABLE, 0.2), report(AVAILABLE, Number.POSITIVE_INFINITY)])).toMatchObject({
      problem: "above_one",
      sample: { load: 1, status: "full", draining: false },
    });
  });

  it.each([99, 2, -1, 2_147_483_647])(
    "takes the status %i, which nobody knows, for full and never a drain",
    (status) => {
      const full = { status: "full", draining: false };
      expect(last([report(status, 0)])).toMatchObject({ sample: { ...full, load: 0 } });
      expect(last([report(status, 0), report(AVAILABLE, 0)])).toMatchObject({
        sample: { status: "available" },
      });
      const node = [report(FULL, 0.9), report(AVAILABLE, 0.1), report(status, 1)];
      expect(last(node)).toMatchObject({ sample: { ...full, load: 1 } });
      const drained = [report(FULL, 0), report(status, 0.2)];
      expect(last(drained, [0, 10_000])).toMatchObject({ sample: { status: "full", draining: true } });
    },
  );

  describe("FULL with load 0 of a worker that has just kept a place for a job", () => {
    const starting = (reports: StatusReport[], atMs: number[]) => {
      let state: WorkerState = FRESH_WORKER;
      return reports.map((one, index) => {
        const result = readReport(one, state, atMs[index] ?? 0, index === 0);
        state = result.state;
        return result.sample;
      });
    };

    it("is full, and available again with its next report", () => {
      expect(starting([report(FULL, 0), report(AVAILABLE, 0)], [0, 500])).toMatchObject([
        { status: "full", draining: false, load: 0 },
        { status: "available", draining: false, load: 0 },
      ]);
    });

    it("is a drain when nothing explains it any more, or when it counts its jobs", () => {
      expect(starting([report(FULL, 0), report(FULL, 0)], [0, 2_500])[1]).toMatchObject({ draining: true });
      expect(starting([report(FULL, 0, { jobCount: 1 })], [0])[0]).toMatchObject({ draining: true });
    });

    it("is the drain of a Node worker, which says FULL with load 1 soon after; not of one that counts", () => {
      const node = [report(FULL, 0), report(AVAILABLE, 0.2), report(FULL, 1)];
      expect(starting(node, [0, 1_000, 2_500])[2]).toMatchObject({ draining: true, load: -1 });
      const counting = [report(FULL, 0), report(FULL, 1, { jobCount: 1 })];
      expect(starting(counting, [0, 1_000])[1]).toMatchObject({ draining: false, status: "full", load: 1 });
    });
  });

  it("takes the worker's own word on its drain, and reads none into its loads from then on", () => {
    const told = [
      report(AVAILABLE, 0.4, { draining: true }),
      report(FULL, 0, { seq: 4n }),
      report(AVAILABLE, 0.1, { seq: 5n }),
    ];
    expect(read(told).map(({ sample }) => sample)).toMatchObject([
      { status: "full", draining: true, load: 0.4 },
      { status: "full", draining: false, load: 0 },
      { status: "available", draining: false, load: 0.1 },
    ]);
  });

  it("takes load 1 itself as it is", () => {
    expect(last([report(AVAILABLE, 1)])).toMatchObject({ sample: { load: 1, status: "available" } });
  });

  it("keeps the status when none is said, and takes one that it does not know for full", () => {
    expect(last([report(FULL, 0.9), report(null, 0.8)])).toMatchObject({
      sample: { status: "full", load: 0.8 },
    });
    expect(last([report(null, 0.8)])).toMatchObject({ sample: { status: "available" } });
    expect(last([report(7, 0.2)])).toMatchObject({ sample: { status: "full", draining: false } });
  });

  it("takes FULL with load 0 for a drain and not for a load", () => {
    expect(last([report(AVAILABLE, 0.4), report(FULL, 0)])).toMatchObject({
      sample: { status: "full", draining: true, load: -1 },
    });
  });

  it("stays with a drain over Node's stale AVAILABLE and its FULL with load 1", () => {
    const told = [report(AVAILABLE, 0.4), report(FULL, 0), report(AVAILABLE, 0.3), report(FULL, 1)];
    for (const result of read(told, [0, 1_000, 2_000, 3_500]).slice(1)) {
      expect(result.sample).toMatchObject({ status: "full", draining: true, load: -1 });
    }
  });

  it("ends a drain that was none", () => {
    expect(last([report(FULL, 0), report(AVAILABLE, 0.3)], [1_000, 4_000])).toMatchObject({
      sample: { status: "available", draining: false, load: 0.3 },
    });
  });

  it("never says a load out of bounds, nor full and available at once", () => {
    const reports = fc.array(
      fc.record({
        status: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 3 })),
        load: fc.oneof(fc.double(), fc.double({ min: 0, max: 1, noNaN: true })),
        jobCount: fc.nat(),
        draining: fc.boolean(),
        seq: fc.constant(0n),
      }),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(reports, (told) => {
        for (const { sample } of read(told)) {
          expect(sample.load === -1 || (sample.load >= 0 && sample.load <= 1)).toBe(true);
          if (sample.draining) expect(sample.status).toBe("full");
        }
      }),
    );
  });
});

it("writes the newest sample of each session, many in one call", async () => {
  const { start, registered, dispatcher, client } = await bench();
  const gateway = await start({ policy: { sampleFlushMs: 150 } });
  const workers = [await registered(gateway), await registered(gateway), await registered(gateway)];
  await client.config("RESETSTAT");
  for (const worker of workers) for (const load of [0.1, 0.2, 0.3]) worker.sample({ load, jobCount: 2 });
  for (const worker of workers) {
    await waitUntil(
      "the sample is written",
      async () => Number((await dispatcher.session(worker.id)).load) > 0,
    );
    const { load, job_count, counts } = await dispatcher.session(worker.id);
    expect(Number(load)).toBeCloseTo(0.3, 5);
    expect([job_count, counts]).toEqual(["2", "1"]);
  }
  expect(gateway.counts.samples_written).toBe(3);
});

it("drops a report that is older than one that it has read, and goes on with the next", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  worker.sample({ status: FULL, load: 0.9, seq: 7n });
  worker.sample({ status: AVAILABLE, load: 0.1, seq: 7n });
  worker.sample({ status: AVAILABLE, load: 0.1, seq: 6n });
  await waitUntil("it is full", async () => (await dispatcher.session(worker.id)).status === "full");
  await worker.ping();
  expect(gateway.counts.load_report_stale).toBe(2);
  worker.sample({ status: AVAILABLE, load: 0.2, draining: true, seq: 8n });
  await waitUntil("it drains", async () => (await dispatcher.session(worker.id)).draining === "1");
  expect((await dispatcher.session(worker.id)).status).toBe("full");
});

it("takes no drain from FULL with load 0 of a worker that thinks about an offer, or was just given a job", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  worker.sample({ status: AVAILABLE, load: 0 });
  const { job } = await dispatcher.order();
  await dispatcher.offer(job);
  await worker.next("availability");
  worker.sample({ status: FULL, load: 0 });
  await waitUntil("it is full", async () => (await dispatcher.session(worker.id)).status === "full");
  worker.accept(job);
  await worker.next("assignment");
  worker.sample({ status: FULL, load: 0 });
  await worker.ping();
  worker.sample({ status: AVAILABLE, load: 0 });
  await waitUntil("it is back", async () => (await dispatcher.session(worker.id)).status === "available");
  expect((await dispatcher.session(worker.id)).draining).toBe("0");
  worker.report(job, 1);
  await waitUntil("it runs", async () => (await dispatcher.job(job)).state === "running");
  worker.sample({ status: FULL, load: 0 });
  await waitUntil("it drains", async () => (await dispatcher.session(worker.id)).draining === "1");
});

it("writes a change between available and full at once", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: { sampleFlushMs: 10_000 } });
  const worker = await registered(gateway);
  worker.sample({ status: FULL, load: 0.9 });
  await waitUntil("it is full", async () => (await dispatcher.session(worker.id)).status === "full");
  worker.sample({ status: AVAILABLE, load: 0.2 });
  await waitUntil(
    "it is available",
    async () => (await dispatcher.session(worker.id)).status === "available",
  );
});

it("has the pool served when a worker comes to be available", async () => {
  const { start, registered, dispatcher, ledger, namespace } = await bench();
  const gateway = await start();
  const worker = await registered(gateway);
  worker.sample({ status: FULL, load: 0.9 });
  await waitUntil("it is full", async () => (await dispatcher.session(worker.id)).status === "full");
  const { job } = await dispatcher.order();
  expect((await ledger.admit({ namespace, job, offerMs: 5_000, retryMs: 500, scan: 32 })).status).toBe(
    "parked",
  );
  worker.sample({ status: AVAILABLE, load: 0.2 });
  await waitUntil("the dispatcher is told", () =>
    dispatcher.told.some((message) => message.kind === "serve"),
  );
});

it.each([
  ["NaN", Number.NaN, "load_refused.not_finite"],
  ["minus infinity", Number.NEGATIVE_INFINITY, "load_refused.not_finite"],
  ["a negative number", -1, "load_refused.negative"],
])("counts %s as a load and lets the last good one stand", async (_what, load, count) => {
  const { start, registered, dispatcher, dump } = await bench();
  const gateway = await start({ policy: { sampleFlushMs: 20 } });
  const worker = await registered(gateway);
  const other = await registered(gateway);
  worker.sample({ load: 0.5 });
  await waitUntil("the good one is written", () => gateway.counts.samples_written === 1);
  const before = await dump();
  worker.sample({ load });
  await waitUntil("the bad one went through", () => gateway.counts.samples_written === 2);
  expect(gateway.counts[count]).toBe(1);
  expect(Number((await dispatcher.session(worker.id)).load)).toBeCloseTo(0.5, 5);
  expect(await dump()).toEqual(before);
  expect(worker.isOpen && other.isOpen).toBe(true);
});

it("counts a load above 1, and takes its worker for full", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: { sampleFlushMs: 20 } });
  const worker = await registered(gateway);
  worker.sample({ load: 1.5 });
  await waitUntil("it is full", async () => (await dispatcher.session(worker.id)).status === "full");
  expect(gateway.counts["load_refused.above_one"]).toBe(1);
});

it("says once when a worker counts more jobs than the ledger, in several samples", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: { sampleFlushMs: 20 } });
  const worker = await registered(gateway);
  for (let sample = 1; sample <= 6; sample++) {
    worker.sample({ load: 0.1, jobCount: 2 });
    await waitUntil(`sample ${sample} is written`, () => gateway.counts.samples_written === sample);
  }
  expect((await dispatcher.session(worker.id)).surplus).toBe("2");
  expect(gateway.counts.worker_counts_more).toBe(1);
});

it("does not take a drain's FULL for a load", async () => {
  const { start, registered, dispatcher } = await bench();
  const gateway = await start({ policy: { sampleFlushMs: 20 } });
  const worker = await registered(gateway);
  worker.sample({ load: 0.5 });
  await waitUntil("the load is written", () => gateway.counts.samples_written === 1);
  worker.sample({ status: FULL, load: 0 });
  await waitUntil("it drains", async () => (await dispatcher.session(worker.id)).draining === "1");
  expect(await dispatcher.session(worker.id)).toMatchObject({ status: "full" });
  expect(Number((await dispatcher.session(worker.id)).load)).toBeCloseTo(0.5, 5);
});

it("closes with 4410 what the ledger has lost while the lease was held", async () => {
  const { start, registered, ledger, namespace } = await bench();
  const gateway = await start({ policy: { sampleFlushMs: 20 } });
  const lost = await registered(gateway);
  const kept = await registered(gateway);
  await ledger.deregisterSession({
    namespace,
    session: lost.id,
    goodbye: false,
    clean: false,
    graceMs: 1_000,
    guardMs: 1_000,
  });
  lost.sample({ load: 0.1 });
  kept.sample({ load: 0.1 });
  expect((await lost.closed()).code).toBe(4410);
  await kept.ping();
  expect(kept.isOpen).toBe(true);
});
