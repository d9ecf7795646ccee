/** The dashboards and the page on watching, against what they are made from and what they promise. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readPage } from "../kit/page-commands.js";
import { DASHBOARDS, filledIn, readDashboard } from "./dashboards.js";
import { ALERTS_FILE, readRules, readText, root } from "./files.js";
import { prometheusPrograms } from "./prometheus-programs.js";

const folder = mkdtempSync(join(tmpdir(), "muster-dashboards-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const node = (script: string, ...args: string[]) =>
  execFileSync(process.execPath, [`${root}${script}`, ...args], { encoding: "utf8" });
const page = readPage("WATCHING.md");

it("the JSON is what the code makes, and the page's table what the list of metrics says", () => {
  node("deploy/grafana/write-dashboards.mjs", folder);
  for (const name of DASHBOARDS)
    expect(readFileSync(join(folder, `${name}.json`), "utf8"), `run npm run docs: ${name}`).toBe(
      readText(`deploy/grafana/${name}.json`),
    );
  const copy = join(folder, "WATCHING.md");
  writeFileSync(copy, page);
  node("scripts/write-metrics.mjs", copy);
  expect(readFileSync(copy, "utf8"), "run npm run docs").toBe(page);
});

describe.each(DASHBOARDS)("%s", (name) => {
  const dashboard = readDashboard(name);
  const panels = dashboard.panels.filter(({ type }) => type !== "row");

  it("says of each panel what it shows, in which unit, and where the runbook speaks of it", () => {
    const anchors = [...readText("docs/RUNBOOK.md").matchAll(/^###? (.*)$/gm)].map(([, title = ""]) =>
      title.toLowerCase().replaceAll(" ", "-"),
    );
    for (const { title, description = "", fieldConfig, links = [] } of panels) {
      expect(description.length, title).toBeGreaterThan(30);
      expect(fieldConfig?.defaults.unit, title).toBeTruthy();
      expect(links.length, title).toBeGreaterThan(0);
      for (const { url } of links) {
        expect(url, title).toMatch(/^\$\{runbook\}#/);
        expect(anchors, title).toContain(url.replace(/^.*#/, ""));
      }
    }
  });

  it("has no two panels of one name, nor in one place, and each within the 24 columns", () => {
    const titles = panels.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x}:${y}`), `${title} lies on another`).toBe(false);
          taken.add(`${x}:${y}`);
        }
    }
  });

  it("knows every variable that its queries name, and asks for what Muster's scrapes alone have", () => {
    for (const { title, targets = [] } of panels)
      for (const { expr } of targets) {
        expect(filledIn(expr, dashboard, "1m"), title).not.toContain("$");
        expect(expr, title).toMatch(/\$namespace/);
      }
  });
});

it("the page's pictures are there, and show each panel that there is", () => {
  const pictures = [...page.matchAll(/!\[[^\]]*\]\((watch\/[a-z]+\.svg)\)/g)].map(([, file]) => file);
  expect(pictures).toEqual(DASHBOARDS.map((name) => `watch/${name}.svg`));
  for (const name of DASHBOARDS) {
    const picture = readText(`docs/watch/${name}.svg`).replaceAll("&#39;", "'").replaceAll("&amp;", "&");
    for (const { title } of readDashboard(name).panels)
      expect(picture.includes(`>${title}<`), `draw ${name} anew, for its panel "${title}"`).toBe(true);
  }
});

it("the page's Prometheus is one, with the alerts beside it; the runbook can be moved as it says", () => {
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
  const [config = ""] = blocks;
  const provider = blocks.find((text) => /^providers:/m.test(text)) ?? "";
  writeFileSync(join(folder, "prometheus.yaml"), config);
  cpSync(`${root}${ALERTS_FILE}`, join(folder, "muster-alerts.yaml"));
  const checked = execFileSync(
    prometheusPrograms().promtool,
    ["check", "config", join(folder, "prometheus.yaml")],
    { encoding: "utf8" },
  );
  expect(checked).toMatch(/rules found/);
  expect((parse(provider) as { providers: unknown[] }).providers.length).toBe(1);

  cpSync(`${root}deploy/prometheus`, join(folder, "deploy/prometheus"), { recursive: true });
  cpSync(`${root}deploy/grafana`, join(folder, "deploy/grafana"), { recursive: true });
  const [, command = ""] = /```sh\n(sed .*?)\n```/s.exec(page) ?? [];
  execFileSync("bash", ["-c", command], { cwd: folder });
  for (const file of [ALERTS_FILE, ...DASHBOARDS.map((name) => `deploy/grafana/${name}.json`)]) {
    const text = readFileSync(join(folder, file), "utf8").replace(/^#.*$/gm, "");
    expect(text, file).toContain("https://wiki.example.com/muster-runbook");
    expect(text, file).not.toContain("docs/RUNBOOK.md");
  }
});

it("the page says of the promise what the rules say", () => {
  const [slo] = readRules().groups;
  const rule = (record: string) => slo?.rules.find((one) => one.record === record)?.expr ?? "";
  expect(rule("muster:dispatch_slo_objective:ratio")).toBe("vector(0.99)");
  expect(rule("muster:dispatch_slo_on_time:count")).toContain('le="0.25"');
  expect(page).toContain("**99 % of direct dispatches are assigned within 250 ms, over 30 days.**");
});
