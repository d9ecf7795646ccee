/**
 * Owns the picture of a comparison, drawn by echarts without a browser: how many workers are above the target load over the
 * time, and how long jobs waited. The same figures give the same picture.
 */
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { Look } from "./account.js";
import type { Outcome } from "./compare.js";

use([LineChart, BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const [WIDTH, HEIGHT] = [1_000, 420];
/** Told apart by those who see few colours as well (Okabe and Ito). */
const COLOURS = ["#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"];
const POINTS = 240;
const SHARES = Array.from({ length: 201 }, (_, index) => index / 200);

export function drawComparison(title: string, outcomes: readonly Outcome[]): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  const endMs = Math.max(...outcomes.map(({ figures }) => figures.looks.at(-1)?.atMs ?? 0));
  const axisName = { nameLocation: "middle" as const, nameGap: 32 };
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    color: COLOURS,
    title: { text: title, left: "center", textStyle: { fontSize: 15 } },
    legend: { bottom: 0, itemGap: 24, data: outcomes.map(({ name }) => name) },
    grid: [
      { left: 60, right: "52%", top: 50, bottom: 80 },
      { left: "56%", right: 30, top: 50, bottom: 80 },
    ],
    xAxis: [
      { type: "value", name: "minutes", max: Math.ceil(endMs / 60_000), gridIndex: 0, ...axisName },
      { type: "value", name: "part of the accepted jobs, %", max: 100, gridIndex: 1, ...axisName },
    ],
    yAxis: [
      { type: "value", name: "workers above the target load", gridIndex: 0, ...axisName, minInterval: 1 },
      { type: "log", name: "waited at most, ms", gridIndex: 1, ...axisName, nameGap: 45 },
    ],
    series: outcomes.flatMap(({ name, figures }) => [
      { ...line(name, 0), data: overloadPoints(figures.looks) },
      { ...line(name, 1), data: waitPoints(figures.waits) },
    ]),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${withStableNames(svg)}\n`;
}

/** The library numbers what it names by what it drew before in the same process. */
export function withStableNames(svg: string): string {
  const names = new Map<string, string>();
  return svg.replace(/\bzr\d+-(?:cls-|c)\d+\b/g, (name) => {
    const known = names.get(name) ?? `n${names.size}`;
    names.set(name, known);
    return known;
  });
}

function line(name: string, axis: number) {
  const at = { xAxisIndex: axis, yAxisIndex: axis };
  return { type: "line" as const, name, ...at, showSymbol: false, lineStyle: { width: 1.5 } };
}

/** The worst of each stretch of time: a mean would hide what a burst does. */
function overloadPoints(looks: readonly Look[]): [number, number][] {
  const stretch = Math.max(1, Math.ceil(looks.length / POINTS));
  const points: [number, number][] = [];
  for (let from = 0; from < looks.length; from += stretch) {
    const some = looks.slice(from, from + stretch);
    points.push([(some[0]?.atMs ?? 0) / 60_000, Math.max(...some.map(({ overloaded }) => overloaded))]);
  }
  return points;
}

function waitPoints(waits: readonly number[]): [number, number][] {
  if (waits.length === 0) return [];
  return SHARES.map((part) => [100 * part, Math.max(1, waits[Math.ceil(part * (waits.length - 1))] ?? 1)]);
}
