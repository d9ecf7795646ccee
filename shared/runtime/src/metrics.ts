/**
 * Owns metrics: the one place that knows prom-client. Hands out typed handles for the metrics of metric-names.ts; only
 * those that were asked for appear, so a process shows what it measures. Services wrap handles in domain verbs.
 * A label can never grow without bound: closed ones are checked by the compiler, open ones are capped here.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import {
  MAX_OPEN_VALUES,
  METRIC_PREFIX,
  METRICS,
  type MetricName,
  type MetricSpec,
  OPEN,
} from "./metric-names.js";
import { productVersion } from "./version.js";

type NameOf<T extends MetricSpec["type"]> = {
  [N in MetricName]: (typeof METRICS)[N]["type"] extends T ? N : never;
}[MetricName];

type LabelsOf<N extends MetricName> = {
  [L in keyof (typeof METRICS)[N]["labels"]]: (typeof METRICS)[N]["labels"][L] extends readonly (infer V extends
    string)[]
    ? V
    : string;
};

export interface CounterHandle<Labels> {
  add(labels: Labels, by?: number): void;
}

export interface GaugeHandle<Labels> {
  set(labels: Labels, value: number): void;
  add(labels: Labels, by: number): void;
}

export interface HistogramHandle<Labels> {
  /** In the metric's unit, which its name ends in. */
  observe(labels: Labels, value: number): void;
}

export interface Metrics {
  /** Each returns the same metric however often it is asked for. */
  counter<N extends NameOf<"counter">>(name: N): CounterHandle<LabelsOf<N>>;
  gauge<N extends NameOf<"gauge">>(name: N): GaugeHandle<LabelsOf<N>>;
  histogram<N extends NameOf<"histogram">>(name: N): HistogramHandle<LabelsOf<N>>;
  /** Run before each `render`, which waits for it: for what is only looked at when somebody wants to know. Must not reject. */
  beforeRender(refresh: () => Promise<void>): void;
  /** All metrics in Prometheus text format, of the type `contentType`. */
  render(): Promise<string>;
  readonly contentType: string;
  /** Whose they are, as in `muster_build_info`. */
  readonly service: string;
}

type AnyLabels = Record<string, string>;

/** One registry a process, with Node's own metrics and `muster_build_info`. */
export function createMetrics({ service }: { service: string }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const handles = new Map<MetricName, unknown>();
  const refreshers: (() => Promise<void>)[] = [];

  const once = <Handle>(
    name: MetricName,
    create: (bounded: (labels: AnyLabels) => AnyLabels) => Handle,
  ): Handle => {
    if (!handles.has(name)) handles.set(name, create(openLabelCap(METRICS[name])));
    return handles.get(name) as Handle;
  };
  const options = (name: MetricName) => ({
    name: METRIC_PREFIX + name,
    help: METRICS[name].help,
    labelNames: Object.keys(METRICS[name].labels),
    registers: [registry],
  });

  const metrics: Metrics = {
    counter: (name) =>
      once(name, (bounded) => {
        const counter = new Counter(options(name));
        for (const labels of knownLabelSets(METRICS[name])) counter.inc(labels, 0);
        return { add: (labels, by = 1) => counter.inc(bounded(labels), by) };
      }),
    gauge: (name) =>
      once(name, (bounded) => {
        const gauge = new Gauge(options(name));
        return {
          set: (labels, value) => gauge.set(bounded(labels), value),
          add: (labels, by) => gauge.inc(bounded(labels), by),
        };
      }),
    histogram: (name) =>
      once(name, (bounded) => {
        const histogram = new Histogram({ ...options(name), buckets: [...METRICS[name].buckets] });
        for (const labels of knownLabelSets(METRICS[name])) histogram.zero(labels);
        return { observe: (labels, value) => histogram.observe(bounded(labels), value) };
      }),
    beforeRender: (refresh) => void refreshers.push(refresh),
    async render() {
      await Promise.all(refreshers.map((refresh) => refresh()));
      return registry.metrics();
    },
    contentType: registry.contentType,
    service,
  };
  metrics.gauge("build_info").set({ service, version: productVersion(), node: process.version }, 1);
  return metrics;
}

/** The label sets to start at 0, so that a rate over them knows the first event: of closed labels every combination. */
function knownLabelSets({ labels }: MetricSpec): AnyLabels[] {
  const entries = Object.entries(labels);
  if (entries.length === 0) return [];
  let sets: AnyLabels[] = [{}];
  for (const [name, values] of entries) {
    if (values === OPEN) return [];
    sets = sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value })));
  }
  return sets;
}

/** Turns what is new in an open label into `other` once it has as many values as it may. */
function openLabelCap({
  labels,
  maxOpenValues = MAX_OPEN_VALUES,
}: MetricSpec): (labels: AnyLabels) => AnyLabels {
  const seen = new Map(
    Object.keys(labels)
      .filter((label) => labels[label] === OPEN)
      .map((label) => [label, new Set<string>()]),
  );
  if (seen.size === 0) return (given) => given;
  return (given) => {
    const bounded = { ...given };
    for (const [label, values] of seen) {
      const value = given[label] ?? "";
      if (values.size < maxOpenValues) values.add(value);
      bounded[label] = values.has(value) ? value : "other";
    }
    return bounded;
  };
}
