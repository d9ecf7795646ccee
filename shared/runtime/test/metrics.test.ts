import { MAX_OPEN_VALUES, METRICS, type MetricSpec } from "@muster/runtime/metric-names";
import { createMetrics } from "@muster/runtime/metrics";
import { productVersion } from "@muster/runtime/version";
import { describe, expect, test } from "vitest";

async function lines(metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> {
  return (await metrics.render()).split("\n").filter((line) => line.startsWith(`muster_${name}`));
}

describe("metrics", () => {
  test("count, with the known values of a single label at 0 from the start", async () => {
    const metrics = createMetrics({ service: "test" });
    const offers = metrics.counter("offers_total");
    offers.add({ outcome: "accepted" });
    metrics.counter("offers_total").add({ outcome: "accepted" }, 2);
    expect(await lines(metrics, "offers_total")).toEqual([
      'muster_offers_total{outcome="accepted"} 3',
      'muster_offers_total{outcome="rejected"} 0',
      'muster_offers_total{outcome="timeout"} 0',
      'muster_offers_total{outcome="lost"} 0',
    ]);
  });

  test("count by two labels, with every combination at 0, and by an open one with none", async () => {
    const metrics = createMetrics({ service: "test" });
    metrics.counter("orphans_settled_total").add({ verdict: "absent", outcome: "resumed" });
    const found = await lines(metrics, "orphans_settled_total");
    expect(found).toHaveLength(9);
    expect(found).toContain('muster_orphans_settled_total{verdict="absent",outcome="resumed"} 1');
    expect(found).toContain('muster_orphans_settled_total{verdict="unknown",outcome="ended"} 0');
    metrics.counter("livekit_calls_total");
    expect((await lines(metrics, "livekit_calls_total{")).length).toBe(0);
  });

  test("gauge up, down and set", async () => {
    const metrics = createMetrics({ service: "test" });
    const sockets = metrics.gauge("websocket_connections");
    sockets.set({}, 5);
    sockets.add({}, 2);
    sockets.add({}, -3);
    expect(await lines(metrics, "websocket_connections")).toEqual(["muster_websocket_connections 4"]);
  });

  test("put durations into the buckets of their spec", async () => {
    const metrics = createMetrics({ service: "test" });
    metrics.histogram("dispatch_stage_duration_seconds").observe({ stage: "offer" }, 0.004);
    const offer = (await lines(metrics, "dispatch_stage_duration_seconds")).filter((line) =>
      line.includes('"offer"'),
    );
    expect(offer).toContain('muster_dispatch_stage_duration_seconds_bucket{le="0.0025",stage="offer"} 0');
    expect(offer).toContain('muster_dispatch_stage_duration_seconds_bucket{le="0.005",stage="offer"} 1');
    expect(offer).toContain('muster_dispatch_stage_duration_seconds_sum{stage="offer"} 0.004');
  });

  test("only those that were asked for appear, beside Node's own and what runs", async () => {
    const metrics = createMetrics({ service: "gateway" });
    const text = await metrics.render();
    const ours = text.split("\n").filter((line) => line.startsWith("muster_"));
    expect(ours).toEqual([
      `muster_build_info{service="gateway",version="${productVersion()}",node="${process.version}"} 1`,
    ]);
    expect(text).toContain("nodejs_eventloop_lag_seconds");
    expect(metrics.contentType).toContain("text/plain");
  });

  test("an open label grows to a bound, then into `other`", async () => {
    const metrics = createMetrics({ service: "test" });
    const commands = metrics.counter("redis_commands_total");
    for (let index = 0; index < MAX_OPEN_VALUES + 10; index++) commands.add({ command: `c${index}` });
    commands.add({ command: "c0" });
    const found = await lines(metrics, "redis_commands_total");
    expect(found.length).toBe(MAX_OPEN_VALUES + 1);
    expect(found).toContain('muster_redis_commands_total{command="other"} 10');
    expect(found).toContain('muster_redis_commands_total{command="c0"} 2');
  });
});

describe("the list of metrics", () => {
  const forbidden = [
    "room",
    "job",
    "job_id",
    "worker",
    "worker_id",
    "participant",
    "namespace",
    "project",
    "tenant",
  ];
  test.each(Object.entries<MetricSpec>(METRICS))("%s follows the rules", (name, spec) => {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(name.endsWith("_total")).toBe(spec.type === "counter");
    expect(spec.help).toMatch(/\.$/);
    expect(Object.keys(spec.labels).filter((label) => forbidden.includes(label))).toEqual([]);
    const buckets = spec.buckets ?? [];
    expect(buckets.length > 0).toBe(spec.type === "histogram");
    expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
  });
});
