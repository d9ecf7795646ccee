/** Owns reading what the tests of this folder are about: alerts, dashboards, pages. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const ALERTS_FILE = "deploy/prometheus/muster-alerts.yaml";
export const ALERT_TESTS = ["callers", "inside", "livekit", "redis", "slo", "slo-days", "workers"];

export interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface RuleFile {
  groups: { name: string; rules: Rule[] }[];
}

export const readText = (file: string): string => readFileSync(`${root}${file}`, "utf8");

export function readRules(): RuleFile {
  return parse(readText(ALERTS_FILE)) as RuleFile;
}
