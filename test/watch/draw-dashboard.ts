/**
 * Owns the picture of a dashboard: the same panels in the same places, with the same titles, units and colours, drawn by echarts
 * without a browser from what Prometheus answered. It is no Grafana; it shows what one sees there.
 */
import { HeatmapChart, LineChart } from "echarts/charts";
import {
  GraphicComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  VisualMapContinuousComponent,
} from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { withStableNames } from "../simulate/chart.js";
import type { Dashboard, Panel } from "./dashboards.js";
import { type Drawn, type Parts, partsOf } from "./draw-panel.js";
import { FONT, INK, PAPER } from "./picture-style.js";

use([LineChart, HeatmapChart, GridComponent, LegendComponent, TitleComponent, GraphicComponent]);
use([MarkLineComponent, VisualMapContinuousComponent, SVGRenderer]);

const [COLUMN, ROW, GAP, HEAD] = [52, 31, 10, 52];
const WIDTH = 24 * COLUMN + GAP;

export function drawDashboard(
  dashboard: Dashboard,
  subtitle: string,
  drawn: ReadonlyMap<number, Drawn[]>,
  range: { fromSeconds: number; toSeconds: number },
): string {
  const bottom = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  const height = HEAD + bottom * ROW + GAP;
  const parts: Parts = {
    title: [],
    legend: [],
    grid: [],
    xAxis: [],
    yAxis: [],
    series: [],
    graphic: [],
    visualMap: [],
  };
  parts.title.push(
    { text: dashboard.title, left: GAP, top: 10, textStyle: { fontSize: 18, color: INK } },
    {
      text: subtitle,
      left: WIDTH - GAP,
      textAlign: "right",
      top: 14,
      textStyle: { fontSize: 12, fontWeight: "normal", color: "#666666" },
    },
  );
  for (const panel of dashboard.panels) partsOf(panel, boxOf(panel), drawn.get(panel.id) ?? [], range, parts);
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  const option: EChartsCoreOption = {
    animation: false,
    backgroundColor: PAPER,
    textStyle: { fontFamily: FONT },
    ...parts,
  };
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${withStableNames(svg)}\n`;
}

function boxOf({ gridPos: { x, y, w, h } }: Panel) {
  return {
    left: GAP + x * COLUMN,
    top: HEAD + y * ROW,
    width: w * COLUMN - GAP,
    height: h * ROW - GAP,
  };
}
