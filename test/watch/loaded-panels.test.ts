/**
 * Every query of every panel, asked of a real Prometheus that scrapes a real Muster while it has a hard minute: each must have
 * data, and each must have moved that can without a disaster. With RECORD=1 what was seen is drawn into docs/watch.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readPage, runPage } from "../kit/page-commands.js";
import { waitUntil } from "../kit/wait-until.js";
import { DASHBOARDS, type Dashboard, filledIn, legendOf, type Panel, readDashboard } from "./dashboards.js";
import { drawDashboard } from "./draw-dashboard.js";
import type { Drawn } from "./draw-panel.js";
import { root } from "./files.js";
import { WatchedHouse } from "./house.js";
import { Load } from "./load.js";
import type { Series } from "./scraper.js";

const SUBTITLE = "drawn from what Prometheus saw of a test's hard minute; no screenshot of Grafana";
const RATE_INTERVAL = "10s";
/** Seen once the last of the mishaps is in the rates. */
const LAST_SEEN = `sum(increase(muster_redis_reconnects_total[${RATE_INTERVAL}])) > 0
  and sum(increase(muster_holds_total{cause="reconnect"}[${RATE_INTERVAL}])) > 0`;

/** What takes longer than a minute, is an outage, or is over between two scrapes: there, and mostly 0. All else has to move. */
const MAY_STAY_AT_ZERO: readonly string[] = [
  "fleet / Changes by operators, and roll-backs / B",
  "fleet / Outages: guards, held time-outs, a Redis that forgot / C",
  "internals / Orders not taken yet / A",
  "internals / Orders not taken yet, by dispatcher / A",
  "internals / Ledger scripts that failed / A",
  "internals / Messages that wait for actors / A",
  "internals / Requests under way / A",
  "internals / Live streams of job events / B",
  "internals / Live streams of job events / C",
];

let house: WatchedHouse;
let load: Load | undefined;
let fromSeconds = 0;
let toSeconds = 0;

beforeAll(async () => {
  house = await WatchedHouse.start();
  load = new Load(house);
  fromSeconds = Date.now() / 1_000;
  await load.begin();
  await load.mishaps();
  await waitUntil(
    "Prometheus has seen all of it",
    async () => {
      toSeconds = Date.now() / 1_000;
      return (await house.scraper.range(LAST_SEEN, toSeconds, toSeconds)).length > 0;
    },
    { deadlineMs: 30_000, everyMs: 250 },
  );
}, 180_000);
afterAll(async () => {
  await load?.end();
  await house?.end();
}, 60_000);

interface Asked {
  name: string;
  dashboard: Dashboard;
  panel: Panel;
  legend: string;
  series: Series[];
}

async function askAll(): Promise<Asked[]> {
  const asked = DASHBOARDS.flatMap((name) => {
    const dashboard = readDashboard(name);
    return dashboard.panels.flatMap((panel) =>
      (panel.targets ?? []).map(async ({ expr, legendFormat, refId }) => ({
        ...{ name: `${name} / ${panel.title} / ${refId}`, dashboard, panel, legend: legendFormat },
        series: await house.scraper.range(filledIn(expr, dashboard, RATE_INTERVAL), fromSeconds, toSeconds),
      })),
    );
  });
  return await Promise.all(asked);
}

const numbersOf = (series: readonly Series[]): number[] =>
  series.flatMap(({ values }) => values.map(([, value]) => value).filter((value) => !Number.isNaN(value)));

it("each query of each panel has data, and what can move has moved", async () => {
  const asked = await askAll();
  const without = asked.filter(({ series }) => numbersOf(series).length === 0).map(({ name }) => name);
  const flat = asked
    .filter(({ series }) => numbersOf(series).length > 0 && numbersOf(series).every((value) => value === 0))
    .map(({ name }) => name);
  const still = flat.filter((name) => !MAY_STAY_AT_ZERO.includes(name));
  expect({ without, still }).toEqual({ without: [], still: [] });
  for (const { legend, series } of asked)
    for (const { metric } of series) expect(legendOf(legend, metric)).not.toBe("");
});

it.runIf(process.env.RECORD === "1")("is drawn", async () => {
  const asked = await askAll();
  mkdirSync(`${root}docs/watch`, { recursive: true });
  for (const name of DASHBOARDS) {
    const drawn = new Map<number, Drawn[]>();
    const dashboard = readDashboard(name);
    for (const { panel, legend, series } of asked.filter((one) => one.dashboard.uid === dashboard.uid))
      drawn.set(panel.id, [...(drawn.get(panel.id) ?? []), { legend, series }]);
    const picture = drawDashboard(dashboard, SUBTITLE, drawn, { fromSeconds, toSeconds });
    writeFileSync(`${root}docs/watch/${name}.svg`, picture);
  }
});

it("every command of docs/RUNBOOK.md does what it is there for", async () => {
  const order = await house.call("api-1", "POST", "/v1/orders", { room: "runbook", agent_name: "nobody" });
  const { jobs } = (await order.json()) as { jobs: { id: string }[] };
  const env = { MUSTER: house.of("api-1").url, JOB: jobs[0]?.id ?? "" };
  const runs = await runPage(readPage("RUNBOOK.md"), env);
  expect(runs.length).toBe(3);
  for (const run of runs) expect(run).toMatchObject({ code: 0 });
});

it("no alert that fires or is about to has a text with a hole in it", async () => {
  const alerts = await house.scraper.alerts();
  const names = new Set(alerts.map(({ labels }) => labels.alertname));
  expect([...names]).toContain("MusterLastWorkerEjected");
  for (const { annotations } of alerts)
    for (const text of Object.values(annotations)) expect(text).not.toMatch(/%!|<no value>|<error|\{\{| {2}/);
});
