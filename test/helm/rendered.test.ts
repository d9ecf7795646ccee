/** The chart as Helm renders it: as it was agreed on, with either major version, and as Kubernetes and its operators take it. */

import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { chart, LEAST, objectsIn, render, root, run, template, tools } from "./chart.js";

const CASES = ["default", "all-options"];
const SCHEMAS = `${root}test/helm/schemas/{{.ResourceKind}}{{.KindSuffix}}.json`;
const conform = (text: string) =>
  run(tools.kubeconform, ["-strict", "-output", "json", "-schema-location", SCHEMAS], text);

it.each(CASES)("helm lint has nothing against it: %s", (name) => {
  const values = ["--values", `${chart}/ci/${name}-values.yaml`];
  const { code, output } = run(tools.helm3, ["lint", chart, "--strict", ...values]);
  expect(output).toContain("1 chart(s) linted, 0 chart(s) failed");
  expect(code).toBe(0);
});

it("helm lint has nothing against it without values either", () => {
  expect(run(tools.helm3, ["lint", chart, "--strict"]).code).toBe(0);
});

it.each(CASES)("is what was agreed on: %s", async (name) => {
  // Alerts and dashboards are others' files, held against these below.
  const documents = template(name).output.split(/^(?=---\n)/m);
  const ours = documents.filter(
    (text) => !/^# Source: muster\/templates\/(dashboards|prometheusrule)/m.test(text),
  );
  await expect(ours.join("")).toMatchFileSnapshot(`snapshots/${name}.yaml`);
});

it.each(CASES)("Helm 4 renders the same: %s", (name) => {
  const { code, output, errors } = template(name, "helm4");
  expect(errors).toBe("");
  expect(code).toBe(0);
  expect(objectsIn(output)).toEqual(render(name));
});

it.each(CASES)("Kubernetes and the operators know every field: %s", (name) => {
  const { code, output } = conform(template(name).output);
  const { resources = [] } = JSON.parse(output) as { resources?: { status: string; msg: string }[] };
  expect(resources.map(({ msg }) => msg)).toEqual([]);
  expect(code).toBe(0);
});

it.each([
  ["preStop:", "prestop:", "Deployment"],
  ["maxUnavailable: 0", "maxUnavailables: 0", "Deployment"],
  ["minReplicaCount:", "minimumReplicaCount:", "ScaledObject"],
  ["podMetricsEndpoints:", "podEndpoints:", "PodMonitor"],
  ["pathType: Prefix", "pathType: 1", "Ingress"],
  ['request: "0s"', "request: 0", "HTTPRoute"],
  ["selector:", "selectors:", "PodDisruptionBudget"],
  ["kind: Secret", "kind: Secrets", "Secrets"],
])("and would not know it as %s → %s", (as, mistaken, kind) => {
  const text = template("all-options").output;
  expect(text).toContain(as);
  const { code, output, errors } = conform(text.replace(as, mistaken));
  expect(code).not.toBe(0);
  expect(output + errors).toContain(kind);
});

it("alerts and dashboards come through as they are, with the braces that are Prometheus' own", () => {
  const objects = render("all-options");
  const [rule] = objects.filter(({ kind }) => kind === "PrometheusRule");
  expect(rule?.spec).toEqual(parse(readFileSync(`${chart}/files/alerts.yaml`, "utf8")));
  const files = new Map(
    readdirSync(`${chart}/files/dashboards`).map((name) => [`muster-${name.replace(/^muster-/, "")}`, name]),
  );
  expect(files.size).toBeGreaterThan(0);
  const dashboards = objects.filter(({ metadata }) => metadata.labels.grafana_dashboard === "1");
  expect(dashboards.flatMap(({ data }) => Object.keys(data ?? {})).sort()).toEqual([...files.keys()].sort());
  for (const { data = {}, metadata } of dashboards) {
    expect(metadata).toMatchObject({ namespace: "monitoring", annotations: { grafana_folder: "Muster" } });
    for (const [name, text] of Object.entries(data))
      expect(JSON.parse(text)).toEqual(
        JSON.parse(readFileSync(`${chart}/files/dashboards/${files.get(name)}`, "utf8")),
      );
  }
  // A ConfigMap holds a mebibyte.
  for (const dashboard of dashboards) expect(JSON.stringify(dashboard).length).toBeLessThan(1_000_000);
});

it("alerts and dashboards lead to where the runbook is kept", () => {
  const where = "https://wiki.example.com/muster/runbook";
  const objects = render({
    ...LEAST,
    prometheusRule: { enabled: true, runbookUrl: where },
    grafanaDashboard: { enabled: true },
  });
  const rule = JSON.stringify(objects.find(({ kind }) => kind === "PrometheusRule"));
  expect(rule).toContain(`"runbook_url":"${where}#`);
  const dashboards = JSON.stringify(
    objects.filter(({ metadata }) => metadata.labels.grafana_dashboard === "1"),
  );
  expect(dashboards).toContain(where);
  for (const text of [rule, dashboards]) expect(text).not.toContain("docs/RUNBOOK.md");
});

it("is a chart of this version of Muster", () => {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string };
  expect(parse(readFileSync(`${chart}/Chart.yaml`, "utf8"))).toMatchObject({ appVersion: version });
});

it("what is written by npm run docs is as it would be written", () => {
  const { code, errors } = run(process.execPath, [`${root}deploy/helm/write-chart.mjs`, "--check"]);
  expect(errors).toBe("");
  expect(code).toBe(0);
});

it("installs under any name, also side by side", () => {
  const long = "a-release-whose-name-is-as-long-as-helm-lets-it-be-53-c";
  const objects = render("all-options", long.slice(0, 53));
  for (const { metadata } of objects) expect(metadata.name.length, metadata.name).toBeLessThanOrEqual(63);
  const names = (release: string) =>
    render("default", release).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  const [blue, green] = [names("blue"), names("green")];
  expect(blue.filter((name) => green.includes(name))).toEqual([]);
  expect(new Set(blue).size).toBe(blue.length);
});
