/**
 * The alerts against what they speak of: each has its section in the runbook and its tests, each expression asks for what a
 * Muster really has, and what the runbook tells its reader to look at is there.
 */
import { readdirSync, readFileSync } from "node:fs";
import { systemClock as clock } from "@muster/runtime/clock";
import { createMetrics } from "@muster/runtime/metrics";
import { expect, it } from "vitest";
import { httpMeter } from "../../services/api/src/http-meter.js";
import { createRestApp, type RestAppDeps } from "../../services/api/src/rest/rest-app.js";
import { keys, policy, silent } from "../../services/api/test/kit.js";
import { DASHBOARDS, readDashboard } from "./dashboards.js";
import { ALERT_TESTS, type Rule, readRules, readText, root } from "./files.js";
import { askedInVain, type KnownSeries, knownSeries } from "./known-series.js";

const RUNBOOK = "docs/RUNBOOK.md";
/** What each section has to say. */
const PARTS = ["Callers", "Look", "Do", "Wake somebody"];

const rules = readRules().groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const names = [...new Set(alerts.map(({ alert }) => alert))].sort();
const runbook = readText(RUNBOOK);
const sections = new Map(
  runbook.split(/^### /m).flatMap((text, index) => {
    const end = text.indexOf("\n");
    return index === 0 ? [] : [[text.slice(0, end), text.slice(end).split(/^## /m)[0] ?? ""] as const];
  }),
);

it("each has a section in the runbook, and each section an alert", () => {
  expect([...sections.keys()].sort()).toEqual(names);
  for (const { alert, annotations } of alerts)
    expect(annotations?.runbook_url).toBe(`${RUNBOOK}#${alert.toLowerCase()}`);
  for (const [name, text] of sections)
    for (const part of PARTS) expect(text, `${name} says of ${part}`).toContain(`**${part}**`);
});

it("each says how grave it is, what happened, and how it stands", () => {
  for (const { alert, labels, annotations } of alerts) {
    expect(labels?.severity, alert).toMatch(/^(critical|warning)$/);
    for (const text of [annotations?.summary, annotations?.description]) expect(text, alert).toBeTruthy();
  }
});

it("each has tests", () => {
  const tests = ALERT_TESTS.map((name) => readText(`deploy/prometheus/tests/${name}.yaml`)).join("\n");
  expect(names.filter((name) => !tests.includes(`alertname="${name}"`))).toEqual([]);
  const files = readdirSync(`${root}deploy/prometheus/tests`).map((name) => name.replace(/\.yaml$/, ""));
  expect(files.sort()).toEqual(ALERT_TESTS);
});

it("each expression, and each query of a dashboard, asks for series and labels that a Muster has", async () => {
  const known = await knownSeries(rules);
  const problems = (expression: string, where: string, series: KnownSeries = known) =>
    askedInVain(expression, series).map((problem) => `${where}: ${problem}`);
  const found = rules.flatMap(({ alert, record, expr }) => problems(expr, alert ?? record ?? ""));
  for (const name of DASHBOARDS)
    for (const { title, targets = [] } of readDashboard(name).panels)
      for (const { expr } of targets)
        found.push(...problems(expr.replaceAll("$__rate_interval", "1m"), `${name}, ${title}`));
  expect(found).toEqual([]);
});

it.each([
  ["muster_offers", "muster_offers is no metric"],
  ['muster_offers_total{result="timeout"}', "muster_offers_total has no label result"],
  ['muster_offers_total{outcome="late"}', "muster_offers_total has no outcome like late"],
  ['muster_offers_total{outcome=~"timeout|late"}', "muster_offers_total has no outcome like late"],
  [
    'muster_dispatch_duration_seconds_bucket{le="0.2"}',
    "muster_dispatch_duration_seconds_bucket has no le like 0.2",
  ],
  ["sum by (room) (muster_offers_total)", "groups by room, which none of its series has"],
])("of %s that would be noticed", async (expression, problem) => {
  expect(askedInVain(expression, await knownSeries(rules))).toEqual([problem]);
});

it("the runbook's calls are in the API, its log lines in the sources, its dashboards' panels on them", async () => {
  // Describing calls nothing that it is given, but is counted as any request.
  const meter = httpMeter(createMetrics({ service: "api" }));
  const deps = { events: {}, keys, policy, meter, clock, log: silent };
  const app = createRestApp(deps as unknown as RestAppDeps);
  const answer = await app.request("/v1/openapi.json");
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
  const known = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const calls = [...runbook.matchAll(/`((?:GET|POST|PUT|DELETE) \/v1\/[^`?]*)/g)].map(([, call]) => call);
  expect(calls.length).toBeGreaterThan(20);
  expect([...new Set(calls)].filter((call) => !known.includes(call ?? ""))).toEqual([]);

  const sources = textOfSources();
  const lines = [...runbook.matchAll(/`log: "([^`]+)"`/g)].map(([, line]) => line ?? "");
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.filter((line) => !sources.includes(line))).toEqual([]);

  const titles = DASHBOARDS.flatMap((name) => readDashboard(name).panels.map(({ title }) => title));
  const shown = [...runbook.matchAll(/"([^"\n]+)"(?:[^".\n]*(?:and|says|;)[^".\n]*)?(?= on \*)/g)].map(
    ([, title]) => title,
  );
  expect(shown.length).toBeGreaterThan(8);
  expect(shown.filter((title) => !titles.some((one) => one.startsWith(title ?? "-")))).toEqual([]);
});

/** What a long line is broken into is one text again. */
function textOfSources(): string {
  const rooms = ["services", "shared"].flatMap((folder) =>
    readdirSync(`${root}${folder}`).map((room) => `${root}${folder}/${room}/src`),
  );
  return rooms
    .flatMap((room) =>
      readdirSync(room, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => readFileSync(`${room}/${file}`, "utf8")),
    )
    .join("\n")
    .replaceAll(/" \+\n\s*"/g, "");
}
