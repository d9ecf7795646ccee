/** Owns which prometheus and promtool the tests run: those on PATH, or what scripts/lib/bring-prometheus.mjs brings. */
import { execFileSync } from "node:child_process";
import { root } from "./files.js";

interface PrometheusPrograms {
  prometheus: string;
  promtool: string;
}

let known: PrometheusPrograms | undefined;

export function prometheusPrograms(): PrometheusPrograms {
  known ??= JSON.parse(
    execFileSync(process.execPath, [`${root}scripts/lib/bring-prometheus.mjs`], { encoding: "utf8" }),
  ) as PrometheusPrograms;
  return known;
}
