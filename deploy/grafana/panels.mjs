/**
 * Owns how a panel of Muster looks, in four kinds: numbers, lines, heat, timelines. Each has its words, its unit and its links to
 * the runbook; a panel without them is refused. Knows no metric.
 */

import {
  AxisPlacement,
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  HeatmapCalculationOptionsBuilder,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  FieldColorBuilder,
  FieldColorModeId,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from "@grafana/grafana-foundation-sdk/dashboard";
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  PanelBuilder as HeatPanel,
  YAxisConfigBuilder,
} from "@grafana/grafana-foundation-sdk/heatmap";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatPanel } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimelinePanel } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as LinesPanel } from "@grafana/grafana-foundation-sdk/timeseries";

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana
export const DATASOURCE = { type: "prometheus", uid: "${datasource}" };
const [GREEN, ORANGE, RED, BLUE, PURPLE, GREY] = ["green", "orange", "red", "blue", "purple", "#8e8e8e"];

/** What means the same on every panel has the same colour there. */
const MEANINGS = {
  ...{ success: GREEN, accepted: GREEN, available: GREEN, free: GREEN, delivered: GREEN, "on time": GREEN },
  ...{ rejected: ORANGE, full: ORANGE, draining: PURPLE, drained: GREY, cooling: RED, used: BLUE },
  ...{
    failed: RED,
    timeout: RED,
    dead: "dark-red",
    lost: PURPLE,
    expired: ORANGE,
    canceled: GREY,
    refused: RED,
  },
};

/**
 * `about`: for somebody who never saw it. `queries`: pairs of expression and legend. `runbook`: alerts, by name.
 * `bounds`: pairs of value and colour, from the lowest; where the first colour begins is the lowest of all.
 */
function dress(
  builder,
  { title, about, unit, queries, runbook = [], width = 8, height = 8, bounds, min, max },
) {
  if (!title || !about || !unit || !queries?.length) throw new Error(`a panel wants for words: ${title}`);
  builder.title(title).description(about).unit(unit).span(width).height(height).datasource(DATASOURCE);
  for (const [index, [expression, legend, format = PromQueryFormat.TimeSeries]] of queries.entries()) {
    const refId = String.fromCharCode("A".charCodeAt(0) + index);
    const query = new DataqueryBuilder().refId(refId).expr(expression).legendFormat(legend).range();
    builder.withTarget(query.format(format).datasource(DATASOURCE));
  }
  const links = runbook.length > 0 ? runbook : ["Where to look first"];
  builder.links(
    links.map((name) =>
      new DashboardLinkBuilder(`Runbook: ${name}`)
        .type(DashboardLinkType.Link)
        .url(`\${runbook}#${name.toLowerCase().replaceAll(" ", "-")}`)
        .targetBlank(true),
    ),
  );
  if (bounds !== undefined) {
    const steps = bounds.map(([value, color], index) => ({ value: index === 0 ? null : value, color }));
    builder.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps));
  }
  if (min !== undefined) builder.min(min);
  if (max !== undefined) builder.max(max);
  return builder;
}

/** The newest value, large, with its course behind it. */
export function number({ decimals, mappings, bounds = [[0, GREEN]], ...panel }) {
  const builder = dress(new StatPanel(), { width: 4, height: 4, bounds, ...panel })
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area);
  if (decimals !== undefined) builder.decimals(decimals);
  if (mappings !== undefined) builder.mappings(mappings);
  return builder;
}

/** `isLog`: where what is shown goes from milliseconds to minutes. */
export function lines({ isStacked = false, isLog = false, ...panel }) {
  const builder = dress(new LinesPanel(), { ...(isLog ? {} : { min: 0 }), ...panel })
    .lineWidth(isStacked ? 1 : 2)
    .fillOpacity(isStacked ? 45 : 6)
    .showPoints(VisibilityMode.Never)
    .spanNulls(false)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (isLog)
    builder.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10));
  if (isStacked) builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  if (panel.bounds !== undefined)
    builder.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  const color = (fixedColor) => [{ id: "color", value: { mode: "fixed", fixedColor } }];
  for (const name of panel.meanings ?? []) builder.overrideByName(name, color(MEANINGS[name]));
  return builder;
}

/** Of a histogram's buckets: the more there was, the darker. */
export function heat(panel) {
  const queries = panel.queries.map(([expression, legend]) => [expression, legend, PromQueryFormat.Heatmap]);
  return dress(new HeatPanel(), { ...panel, unit: "short", queries })
    .calculate(false)
    .calculation(new HeatmapCalculationOptionsBuilder())
    .yAxis(new YAxisConfigBuilder().unit(panel.unit).axisPlacement(AxisPlacement.Left))
    .color(
      new HeatmapColorOptionsBuilder()
        .mode(HeatmapColorMode.Scheme)
        .scheme("Blues")
        .steps(64)
        .exponent(0.5)
        .fill("blue")
        .reverse(false),
    );
}

/** One bar for each series, while its value is 1. */
export function timeline(panel) {
  return dress(new TimelinePanel(), panel)
    .mergeValues(true)
    .showValue(VisibilityMode.Never)
    .rowHeight(0.8)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(RED))
    .noValue(panel.nothing)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(false)
        .displayMode(LegendDisplayMode.Hidden)
        .placement(LegendPlacement.Bottom)
        .calcs([]),
    );
}

export { GREEN, ORANGE, RED };
