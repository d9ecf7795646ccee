/**
 * Owns a real Prometheus for tests: on a free port of 127.0.0.1, scraping every second what it is told of, with Muster's
 * rules, and asked through its own API. Ends with the process that started it.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../kit/ports.js";
import { waitUntil } from "../kit/wait-until.js";
import { ALERTS_FILE, root } from "./files.js";
import { prometheusPrograms } from "./prometheus-programs.js";

export interface Target {
  job: string;
  instance: string;
  port: number;
}

export interface Series {
  metric: Record<string, string>;
  /** Seconds and values; NaN where there was none to reckon. */
  values: [number, number][];
}

export interface Scraper {
  /** In place of those before. */
  scrape(targets: readonly Target[]): void;
  /** By steps of a second. */
  range(expression: string, fromSeconds: number, toSeconds: number): Promise<Series[]>;
  /** The text that an alert has for people, of those that fire or are about to. */
  alerts(): Promise<{ labels: Record<string, string>; annotations: Record<string, string> }[]>;
  output(): string;
  stop(): Promise<void>;
}

const CONFIG = `
global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: ["${root}${ALERTS_FILE}"]
scrape_configs:
  - job_name: any
    file_sd_configs: [{ files: [targets.json], refresh_interval: 1s }]
`;

export async function startScraper(): Promise<Scraper> {
  const folder = mkdtempSync(join(tmpdir(), "muster-prometheus-"));
  const port = await freePort();
  writeFileSync(join(folder, "prometheus.yaml"), CONFIG);
  writeFileSync(join(folder, "targets.json"), "[]");
  const child = spawn(
    prometheusPrograms().prometheus,
    [
      `--config.file=${join(folder, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let output = "";
  child.stderr.on("data", (chunk) => {
    output += String(chunk);
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const url = `http://127.0.0.1:${port}`;
  const ask = async <Data>(path: string, query: Record<string, string> = {}): Promise<Data> => {
    const answer = await fetch(`${url}${path}?${new URLSearchParams(query)}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: Data; error?: string };
    if (status !== "success") throw new Error(`${path} ${query.query ?? ""}: ${error}`);
    return data;
  };
  await waitUntil("Prometheus is ready", async () => (await fetch(`${url}/-/ready`)).ok, {
    deadlineMs: 20_000,
    everyMs: 50,
  }).catch((error: Error) => {
    kill();
    throw new Error(`${error.message}\n${output}`);
  });
  return {
    scrape(targets) {
      const listed = targets.map(({ job, instance, port: target }) => ({
        targets: [`127.0.0.1:${target}`],
        labels: { job, instance },
      }));
      // In one step: it is read while it is written.
      writeFileSync(join(folder, "targets.json.new"), JSON.stringify(listed));
      renameSync(join(folder, "targets.json.new"), join(folder, "targets.json"));
    },
    async range(expression, fromSeconds, toSeconds) {
      const query = { query: expression, start: String(fromSeconds), end: String(toSeconds), step: "1" };
      const { result } = await ask<{ result: { metric: Series["metric"]; values: [number, string][] }[] }>(
        "/api/v1/query_range",
        query,
      );
      return result.map(({ metric, values }) => ({
        metric,
        values: values.map(([atSeconds, value]) => [atSeconds, Number(value)]),
      }));
    },
    async alerts() {
      const { alerts } = await ask<{ alerts: Awaited<ReturnType<Scraper["alerts"]>> }>("/api/v1/alerts");
      return alerts;
    },
    output: () => output,
    async stop() {
      process.off("exit", kill);
      kill();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
