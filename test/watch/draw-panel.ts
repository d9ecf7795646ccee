/** Owns how one panel is drawn into its box: as a number, as lines, as heat, as bars of time. */
import { legendOf, type Panel } from "./dashboards.js";
import { CARD, colourOf, INK, PALETTE, RULE, written } from "./picture-style.js";
import type { Series } from "./scraper.js";

/** What one query of the panel gave. */
export interface Drawn {
  legend: string;
  series: Series[];
}

/** What echarts is given, grown panel by panel. */
export type Parts = Record<
  "title" | "legend" | "grid" | "xAxis" | "yAxis" | "series" | "graphic" | "visualMap",
  object[]
>;

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

interface Range {
  fromSeconds: number;
  toSeconds: number;
}

/** More would not be told apart. */
const MOST_SERIES = 8;
const SMALL = { fontSize: 10, color: "#57606a" };

export function partsOf(panel: Panel, box: Box, drawn: readonly Drawn[], range: Range, parts: Parts): void {
  if (panel.type === "row") {
    const textStyle = { fontSize: 14, color: INK };
    parts.title.push({ text: panel.title, left: box.left, top: box.top + 4, padding: 0, textStyle });
    return;
  }
  const shape = { x: box.left, y: box.top, width: box.width, height: box.height, r: 4 };
  parts.graphic.push({ type: "rect", shape, style: { fill: CARD, stroke: RULE }, z: -10, silent: true });
  const textStyle = {
    fontSize: 12,
    color: INK,
    fontWeight: "bold",
    width: box.width - 20,
    overflow: "truncate",
  };
  parts.title.push({ text: panel.title, left: box.left + 10, top: box.top + 8, padding: 0, textStyle });
  if (panel.type === "stat") addNumber(panel, box, drawn, range, parts);
  else if (panel.type === "timeseries") addLines(panel, box, drawn, range, parts);
  else if (panel.type === "heatmap") addHeat(panel, box, drawn, range, parts);
  else addBars(box, drawn, range, parts);
}

/** A grid with its axes; the number that both axes and series know it by. */
function addGrid(box: Box, parts: Parts, axes: { x: object; y: object }, inset: object): number {
  const index = parts.grid.length;
  parts.grid.push({ ...box, ...inset });
  parts.xAxis.push({
    gridIndex: index,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: RULE } },
    axisLabel: SMALL,
    ...axes.x,
  });
  parts.yAxis.push({
    gridIndex: index,
    axisLabel: SMALL,
    splitLine: { lineStyle: { color: RULE } },
    ...axes.y,
  });
  return index;
}

const insideOf = ({ left, top, width, height }: Box, bottom: number, wide = 54) => ({
  left: left + wide,
  top: top + 34,
  width: width - wide - 14,
  height: height - 34 - bottom,
});

/** A label needs some 60 px. */
const tickOf = ({ fromSeconds, toSeconds }: Range, width: number): number => {
  const enough = (toSeconds - fromSeconds) / (width / 60);
  return [5, 10, 20, 30, 60, 120].find((seconds) => seconds >= enough) ?? 300;
};

const timeAxis = (range: Range, width: number) => ({
  type: "value",
  min: 0,
  max: Math.ceil(range.toSeconds - range.fromSeconds),
  interval: tickOf(range, width),
  splitLine: { show: false },
  axisLabel: { ...SMALL, showMaxLabel: false, formatter: (value: number) => `${value} s` },
});

function addNumber(panel: Panel, box: Box, drawn: readonly Drawn[], range: Range, parts: Parts): void {
  const { unit = "short", decimals, thresholds, mappings = [] } = panel.fieldConfig?.defaults ?? {};
  const values = (drawn[0]?.series[0]?.values ?? []).filter(([, value]) => !Number.isNaN(value));
  const newest = values.at(-1)?.[1];
  if (newest === undefined) return;
  const steps = thresholds?.steps ?? [];
  const step = steps.filter(({ value }) => value === null || newest >= value).at(-1);
  const color = colourOf(step?.color ?? "green");
  const text = mappings[0]?.options[String(newest)]?.text ?? written(newest, unit, decimals);
  const [left, top] = [box.left + 10, box.top + 34];
  parts.title.push({ text, left, top, padding: 0, textStyle: { fontSize: 26, color } });
  const low = { left: box.left + 1, top: box.top + box.height - 38, width: box.width - 2, height: 37 };
  const show = { show: false };
  const index = addGrid(
    low,
    parts,
    { x: { ...timeAxis(range, box.width), ...show }, y: { type: "value", min: 0, ...show } },
    {},
  );
  const data = values.map(([at, value]) => [at - range.fromSeconds, value]);
  const look = { showSymbol: false, lineStyle: { width: 1, color }, areaStyle: { color, opacity: 0.15 } };
  parts.series.push({ type: "line", xAxisIndex: index, yAxisIndex: index, data, ...look });
}

interface Named {
  name: string;
  values: [number, number][];
}

function named(drawn: readonly Drawn[]): Named[] {
  return drawn.flatMap(({ legend, series }) =>
    series.map(({ metric, values }) => ({
      name: legendOf(legend, metric) || "(none)",
      values: values.filter(([, value]) => !Number.isNaN(value)),
    })),
  );
}

function addLines(panel: Panel, box: Box, drawn: readonly Drawn[], range: Range, parts: Parts): void {
  const { unit = "short", thresholds, custom = {} } = panel.fieldConfig?.defaults ?? {};
  const peak = ({ values }: Named) => Math.max(0, ...values.map(([, value]) => value));
  const all = named(drawn).filter(({ values }) => values.length > 0);
  const kept = new Set([...all].sort((a, b) => peak(b) - peak(a)).slice(0, MOST_SERIES));
  const isStacked = custom.stacking?.mode === "normal";
  const shown = all.filter((one) => kept.has(one)).map((one) => (isStacked ? withoutGaps(one, all) : one));
  const legendRows = legendHeight(shown, box);
  const isLog = custom.scaleDistribution?.type === "log";
  const y = {
    ...(isLog ? { type: "log" } : { type: "value", min: 0 }),
    splitNumber: 4,
    axisLabel: { ...SMALL, formatter: (value: number) => written(value, unit) },
  };
  const axes = {
    x: timeAxis(range, box.width),
    y: { ...y, ...(unit === "percentunit" && { minInterval: 0.01 }) },
  };
  const index = addGrid(box, parts, axes, insideOf(box, 26 + legendRows));
  const fixed = new Map(
    (panel.fieldConfig?.overrides ?? []).map(({ matcher, properties }) => [
      matcher.options,
      properties.find(({ id }) => id === "color")?.value.fixedColor,
    ]),
  );
  const names = shown.map(({ name }) => ({ name: `${panel.id}·${name}` }));
  for (const [at, { name, values }] of shown.entries()) {
    const color = colourOf(fixed.get(name) ?? PALETTE[at % PALETTE.length] ?? INK);
    const bounds =
      at === 0 && custom.thresholdsStyle?.mode === "dashed" ? (thresholds?.steps ?? []).slice(1) : [];
    parts.series.push({
      type: "line",
      name: `${panel.id}·${name}`,
      xAxisIndex: index,
      yAxisIndex: index,
      data: values
        .filter(([, value]) => !isLog || value > 0)
        .map(([seconds, value]) => [seconds - range.fromSeconds, value]),
      showSymbol: false,
      itemStyle: { color },
      lineStyle: { color, width: isStacked ? 1 : 1.8 },
      ...(isStacked && { stack: `panel-${panel.id}`, areaStyle: { color, opacity: 0.5 } }),
      ...(bounds.length > 0 && { markLine: markLine(bounds) }),
    });
  }
  parts.legend.push({
    data: names,
    left: box.left + 8,
    top: box.top + box.height - 6 - legendRows,
    width: box.width - 16,
    itemWidth: 12,
    itemHeight: 3,
    itemGap: 14,
    padding: 0,
    icon: "rect",
    textStyle: SMALL,
    formatter: (name: string) => name.slice(name.indexOf("·") + 1),
  });
}

/** What is stacked has to have a value wherever another has one. */
function withoutGaps({ name, values }: Named, all: readonly Named[]): Named {
  const own = new Map(values);
  const times = new Set(all.flatMap((one) => one.values.map(([seconds]) => seconds)));
  return {
    name,
    values: [...times].sort((a, b) => a - b).map((seconds) => [seconds, own.get(seconds) ?? 0]),
  };
}

/** As echarts will break it: by what the names take, roughly. */
function legendHeight(shown: readonly Named[], box: Box): number {
  let [rows, used] = [1, 0];
  for (const { name } of shown) {
    const wide = 30 + name.length * 5.6;
    if (used + wide > box.width - 16 && used > 0) [rows, used] = [rows + 1, 0];
    used += wide;
  }
  return rows * 17;
}

function markLine(bounds: readonly { value: number | null; color: string }[]): object {
  return {
    silent: true,
    symbol: "none",
    label: { show: false },
    data: bounds.map(({ value, color }) => ({
      yAxis: value,
      lineStyle: { color: colourOf(color), type: "dashed", width: 1 },
    })),
  };
}

/** Of cumulative buckets what came into each. */
function addHeat(panel: Panel, box: Box, drawn: readonly Drawn[], range: Range, parts: Parts): void {
  const unit = panel.options?.yAxis?.unit ?? "short";
  const edge = ({ metric }: Series) => (metric.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(metric.le));
  const buckets = drawn.flatMap(({ series }) => series).sort((a, b) => edge(a) - edge(b));
  const seconds = Array.from({ length: Math.ceil(range.toSeconds - range.fromSeconds) + 1 }, (_, at) => at);
  const cells: [number, number, number][] = [];
  for (const [row, { values }] of buckets.entries()) {
    const below = new Map(buckets[row - 1]?.values ?? []);
    for (const [at, value] of values) {
      const own = value - (below.get(at) ?? 0);
      if (own > 0.01) cells.push([Math.round(at - range.fromSeconds), row, own]);
    }
  }
  const used = cells.map(([, row]) => row);
  const [low, high] = [Math.min(...used), Math.max(...used)];
  const rows = buckets
    .slice(low, high + 1)
    .map((one) => (Number.isFinite(edge(one)) ? written(edge(one), unit) : "more"));
  const x = {
    type: "category",
    data: seconds,
    axisLabel: {
      ...SMALL,
      interval: tickOf(range, box.width) - 1,
      formatter: (value: string) => `${value} s`,
    },
  };
  const y = { type: "category", data: rows, axisLine: { show: false }, axisTick: { show: false } };
  const index = addGrid(box, parts, { x, y }, insideOf(box, 30, 60));
  const data = cells.map(([at, row, value]) => [at, row - low, value]);
  parts.visualMap.push({
    show: false,
    seriesIndex: parts.series.length,
    min: 0,
    max: Math.max(...cells.map(([, , value]) => value)),
    inRange: { color: ["#eaf3fb", "#9ecae1", "#4292c6", "#08519c"] },
  });
  parts.series.push({
    type: "heatmap",
    xAxisIndex: index,
    yAxisIndex: index,
    data,
    itemStyle: { borderWidth: 0 },
  });
}

function addBars(box: Box, drawn: readonly Drawn[], range: Range, parts: Parts): void {
  const all = named(drawn).reverse();
  const wide = 190;
  const y = {
    type: "category",
    data: all.map(({ name }) => name),
    axisLine: { show: false },
    axisTick: { show: false },
  };
  const split = { splitLine: { show: true, lineStyle: { color: RULE } } };
  const index = addGrid(
    box,
    parts,
    { x: timeAxis(range, box.width), y: { ...y, ...split } },
    insideOf(box, 28, wide),
  );
  for (const [row, { values }] of all.entries()) {
    const style = { width: 8, color: colourOf("red"), cap: "butt" };
    const data = values.map(([at, value]) => [at - range.fromSeconds, value > 0 ? row : null]);
    parts.series.push({
      type: "line",
      xAxisIndex: index,
      yAxisIndex: index,
      data,
      showSymbol: false,
      lineStyle: style,
    });
  }
}
