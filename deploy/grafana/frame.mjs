/**
 * Owns what Muster's dashboards have in common: the choices at the top, the way from one to the other, the time. Every choice
 * begins with all, and all of Muster's jobs are never anybody else's.
 */

import {
  ConstantVariableBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DATASOURCE } from "./panels.mjs";

/** The prefix of every link to the runbook, here and in the alerts. */
const RUNBOOK = "docs/RUNBOOK.md";
const ALL = { selected: true, text: "All", value: "$__all" };

const choice = (name, label, query, allValue) =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(allValue)
    .current(ALL);

const within = '{namespace=~"$namespace", job=~"$job"}';
const CHOICES = {
  namespace: ["Kubernetes namespace", "label_values(muster_build_info, namespace)", ".*"],
  job: [
    "Job",
    'label_values(muster_build_info{namespace=~"$namespace"}, job)',
    "muster(-(gateway|dispatcher|api))?",
  ],
  instance: ["Instance", `label_values(muster_build_info${within}, instance)`, ".*"],
  agent: ["Agent", 'label_values(muster_agent_workers{namespace=~"$namespace"}, agent)', ".*"],
};

/** `rows`: pairs of title and panels. `choices`: of those above, beside the data source. */
export function dashboard({ uid, title, about, choices, rows }) {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(about)
    .tags(["muster"])
    .refresh("30s")
    .time({ from: "now-3h", to: "now" })
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .link(
      new DashboardLinkBuilder("Muster")
        .type(DashboardLinkType.Dashboards)
        .tags(["muster"])
        .asDropdown(false)
        .keepTime(true)
        .includeVars(true),
    )
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(new ConstantVariableBuilder("runbook").value(RUNBOOK));
  for (const name of choices) {
    const [label, query, allValue] = CHOICES[name];
    builder.withVariable(choice(name, label, query, allValue));
  }
  for (const [name, panels] of rows) {
    builder.withRow(new RowBuilder(name));
    for (const panel of panels) builder.withPanel(panel);
  }
  return tidied(builder.build());
}

/** Panels get numbers, by their place; links lose the place in a menu that older versions of Grafana do not know. */
function tidied(built) {
  const panels = built.panels.map((panel, index) => ({
    ...panel,
    id: index + 1,
    links: withoutPlace(panel.links),
  }));
  return { ...built, panels, links: withoutPlace(built.links) };
}

const withoutPlace = (links = []) => links.map(({ placement: _, ...link }) => link);
