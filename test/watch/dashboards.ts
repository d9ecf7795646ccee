/** Owns reading the dashboards as Grafana does: their panels, and each query with the choices at the top filled in. */
import { readText } from "./files.js";

export const DASHBOARDS = ["overview", "fleet", "internals"] as const;
export type DashboardName = (typeof DASHBOARDS)[number];

interface Step {
  value: number | null;
  color: string;
}

export interface Panel {
  id: number;
  type: "row" | "stat" | "timeseries" | "heatmap" | "state-timeline";
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string; refId: string }[];
  links?: { title: string; url: string }[];
  options?: { yAxis?: { unit: string } };
  fieldConfig?: {
    defaults: {
      unit?: string;
      decimals?: number;
      min?: number;
      noValue?: string;
      thresholds?: { steps: Step[] };
      mappings?: { options: Record<string, { text: string }> }[];
      custom?: {
        stacking?: { mode: string };
        scaleDistribution?: { type: string };
        thresholdsStyle?: { mode: string };
      };
    };
    overrides: {
      matcher: { options: string };
      properties: { id: string; value: { fixedColor?: string } }[];
    }[];
  };
}

export interface Dashboard {
  uid: string;
  title: string;
  tags: string[];
  panels: Panel[];
  templating: {
    list: { name: string; type: string; allValue?: string; query: string | { query: string } }[];
  };
}

export const readDashboard = (name: DashboardName): Dashboard =>
  JSON.parse(readText(`deploy/grafana/${name}.json`)) as Dashboard;

/** With everything chosen, as it is when somebody opens it. */
export function filledIn(expression: string, { templating }: Dashboard, rateInterval: string): string {
  const values: Record<string, string> = { __rate_interval: rateInterval };
  for (const { name, allValue } of templating.list) if (allValue !== undefined) values[name] = allValue;
  return expression.replace(/\$(\w+)/g, (whole, name: string) => values[name] ?? whole);
}

/** `{{label}}` filled in, as Grafana does. */
export function legendOf(format: string, labels: Record<string, string>): string {
  return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? "");
}
