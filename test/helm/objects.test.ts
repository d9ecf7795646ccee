/** What the rendered objects hold to, whatever a snapshot says: with the least values, and with every option. */

import { readFileSync } from "node:fs";
import { METRIC_PREFIX, METRICS } from "@muster/runtime/metric-names";
import { expect, it } from "vitest";
import {
  type Container,
  chart,
  deployed,
  type KubeObject,
  LEAST,
  NAMESPACE,
  objectsIn,
  podsOf,
  render,
  root,
  run,
  SERVICES,
  type Service,
  selects,
  tools,
} from "./chart.js";

const CASES = ["default", "all-options"] as const;
const LEAST_FILE = `${chart}/ci/default-values.yaml`;
const containers = (objects: KubeObject[]) =>
  podsOf(objects).flatMap((pod) => pod.spec.containers.map((container) => ({ pod, container })));

it.each(CASES)("every container is bounded, unprivileged and probed: %s", (name) => {
  for (const { pod, container } of containers(render(name))) {
    const { resources, securityContext } = container;
    const isAgent = pod.name.includes("-agent-");
    expect(resources?.requests, pod.name).toMatchObject({
      cpu: expect.any(String),
      memory: expect.any(String),
    });
    expect(resources?.limits, pod.name).toMatchObject({ memory: expect.any(String) });
    expect(securityContext, pod.name).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: !isAgent,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.spec.securityContext, pod.name).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    if (!isAgent) expect(Number(pod.spec.securityContext?.runAsUser), pod.name).toBeGreaterThan(0);
    expect(pod.spec.enableServiceLinks, pod.name).toBe(false);
    expect(pod.spec.automountServiceAccountToken, pod.name).toBe(false);
    if (pod.kind === "Pod") continue;
    for (const kind of ["startupProbe", "livenessProbe", "readinessProbe"] as const) {
      const probe = container[kind];
      const names = container.ports?.map((port) => port.name);
      expect(names, `${pod.name}: ${kind}`).toContain(probe?.httpGet.port);
      if (isAgent) continue;
      const isReadiness = kind === "readinessProbe" && !pod.name.endsWith("router");
      // Were liveness to ask for Redis, an outage of Redis would end every process in the middle of it.
      expect(probe?.httpGet.path, `${pod.name}: ${kind}`).toBe(isReadiness ? "/readyz" : "/healthz");
    }
    const mounted = container.volumeMounts?.map((mount) => mount.name) ?? [];
    const volumes = pod.spec.volumes?.map((volume) => volume.name) ?? [];
    expect(mounted.sort(), pod.name).toEqual(volumes.sort());
  }
});

it.each(CASES)("names are such as Kubernetes takes, and said once: %s", (name) => {
  const objects = render(name);
  const label = /^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;
  for (const { metadata, kind } of objects) {
    expect(metadata.name, kind).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
    for (const value of Object.values(metadata.labels))
      expect(value, `${kind} ${metadata.name}`).toMatch(label);
  }
  for (const { pod, container } of containers(objects)) {
    for (const value of Object.values(pod.labels)) expect(value, pod.name).toMatch(label);
    const variables = container.env?.map((variable) => variable.name) ?? [];
    expect(new Set(variables).size, pod.name).toBe(variables.length);
    for (const port of container.ports ?? []) expect(port.name.length, pod.name).toBeLessThanOrEqual(15);
  }
  const all = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`);
  expect(new Set(all).size).toBe(all.length);
});

it("a pool without a health port has no probes, and is a Deployment all the same", () => {
  const pools = {
    support: { image: { repository: "agent" }, healthPort: 0, credentials: { existingSecret: "a" } },
  };
  const pod = deployed(render({ ...LEAST, agentPools: pools }), "agent-support");
  expect(Object.keys(pod.spec.containers[0] ?? {})).not.toEqual(expect.arrayContaining(["livenessProbe"]));
});

/** What each service allows itself behind its drain, as its main.ts says. */
function slackSeconds(service: Service): number {
  const source = readFileSync(`${root}services/${service}/src/main.ts`, "utf8");
  const [, ms = ""] = /STOP_SLACK_MS = ([\d_]+)/.exec(source) ?? [];
  return Number(ms.replaceAll("_", "")) / 1_000;
}

function preStopSeconds({ lifecycle }: Container): number {
  const { sleep, exec } = lifecycle?.preStop ?? {};
  const [, ms] = /setTimeout\(.*, (\d+)\)/.exec(exec?.command.join(" ") ?? "") ?? [];
  return sleep?.seconds ?? (ms === undefined ? Number(exec?.command.at(-1)) : Number(ms) / 1_000);
}

it.each([
  ["5s", 5],
  ["2m", 120],
  ["1500ms", 2],
  [90_000, 90],
  ["1h", 3_600],
])("a pod has time for preStop, a drain of %s, and what comes behind it", (drainMs, drainSeconds) => {
  for (const mode of ["auto", "sleep", "exec"]) {
    const drained = { muster: { drainMs } };
    const objects = render({
      ...LEAST,
      preStop: { mode, seconds: 7 },
      // Beyond the others' own bound.
      gateway: drained,
      ...(drainSeconds <= 600 && { dispatcher: drained, api: drained }),
    });
    for (const service of SERVICES) {
      const { spec } = deployed(objects, service);
      const [container] = spec.containers;
      if (container === undefined) return expect.fail("no container");
      expect(preStopSeconds(container), service).toBe(7);
      const needed =
        7 + slackSeconds(service) + (drainSeconds <= 600 || service === "gateway" ? drainSeconds : 2);
      expect(spec.terminationGracePeriodSeconds, service).toBeGreaterThan(needed);
      expect(spec.terminationGracePeriodSeconds, service).toBeLessThanOrEqual(needed + 10);
    }
  }
});

it("pods sleep before they stop by what their cluster knows", () => {
  const preStop = (version: string) => {
    const { output } = run(tools.helm3, [
      "template",
      "muster",
      chart,
      "--kube-version",
      version,
      "--values",
      LEAST_FILE,
    ]);
    return podsOf(objectsIn(output)).flatMap(({ spec }) =>
      spec.containers.map(({ lifecycle }) => lifecycle?.preStop),
    );
  };
  expect(preStop("1.30.0")).toContainEqual({ sleep: { seconds: 5 } });
  const before = JSON.stringify(preStop("1.29.6"));
  expect(before).not.toContain('"sleep":{');
  expect(before).toContain('["sleep","5"]');
  expect(before).toContain("setTimeout(() => {}, 5000)");
});

it("routers keep their sockets for drainSeconds, and agents their calls for an hour and more", () => {
  const objects = render("all-options");
  const router = deployed(objects, "router");
  expect(router.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(10 + 60);
  expect(deployed(objects, "agent-support").spec.terminationGracePeriodSeconds).toBe(3_600);
  expect(deployed(objects, "agent-sales").spec.terminationGracePeriodSeconds).toBe(7_200);
  expect(deployed(objects, "agent-support").annotations).toMatchObject({
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
  });
});

it.each(CASES)("replicas are said by whoever scales, and by nobody else: %s", (name) => {
  const objects = render(name);
  const scalers = objects.filter(({ kind }) => ["HorizontalPodAutoscaler", "ScaledObject"].includes(kind));
  const scaled = scalers.map(({ spec }) => spec.scaleTargetRef?.name);
  expect(new Set(scaled).size, "scaled by two").toBe(scaled.length);
  const deployments = objects.filter(({ kind }) => kind === "Deployment");
  for (const { metadata, spec } of deployments)
    expect(spec.replicas === undefined, metadata.name).toBe(scaled.includes(metadata.name));
  for (const target of scaled) expect(deployments.map(({ metadata }) => metadata.name)).toContain(target);
  if (name === "all-options") expect(scaled.length).toBe(4);
});

it("KEDA asks Prometheus for metrics that Muster has, and never takes silence for nothing", () => {
  const asked = {
    keda: { prometheus: { serverAddress: "http://prometheus" } },
    gateway: { keda: { enabled: true } },
    dispatcher: { keda: { enabled: true } },
  };
  const triggers = render({ ...LEAST, ...asked }).flatMap(({ spec }) => spec?.triggers ?? []);
  const queries = triggers.filter(({ type }) => type === "prometheus").map(({ metadata }) => metadata);
  expect(queries.map(({ ignoreNullValues }) => ignoreNullValues)).toEqual(["false", "false"]);
  const known = Object.keys(METRICS).map((name) => METRIC_PREFIX + name);
  for (const { query = "" } of queries) {
    const [, metric] = /^sum\((\w+)\{namespace="voice",service="muster-\w+"\}\)$/.exec(query) ?? [];
    expect(known).toContain(metric);
  }
});

it.each(CASES)("whatever selects pods selects those that it is about: %s", (name) => {
  const objects = render(name);
  const pods = podsOf(objects);
  const chosen = (object: KubeObject) => {
    const { selector, podSelector } = object.spec;
    const labels = object.kind === "Service" ? { matchLabels: selector as Record<string, string> } : selector;
    return pods.filter((pod) => selects(podSelector ?? labels ?? {}, pod.labels)).map((pod) => pod.name);
  };
  const alone = ["Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"];
  for (const object of objects.filter(({ kind }) => alone.includes(kind)))
    expect(chosen(object), `${object.kind} ${object.metadata.name}`).toEqual([object.metadata.name]);
  for (const { spec, labels } of pods)
    for (const { labelSelector } of spec.topologySpreadConstraints ?? [])
      expect(selects(labelSelector, labels)).toBe(true);
  for (const { spec } of objects.filter(({ kind }) => kind === "ServiceMonitor")) {
    const services = objects.filter(
      ({ kind, metadata }) => kind === "Service" && selects(spec.selector ?? {}, metadata.labels),
    );
    expect(services.map(({ metadata }) => metadata.name).sort()).toEqual(
      SERVICES.map((one) => `muster-${one}`).sort(),
    );
    expect(spec.endpoints?.map(({ port }) => port)).toEqual(["http"]);
  }
  for (const { spec, metadata } of objects.filter(({ kind }) => kind === "Service")) {
    const [container] = pods.find((pod) => pod.name === metadata.name)?.spec.containers ?? [];
    for (const { targetPort } of spec.ports ?? [])
      expect(
        container?.ports?.map((port) => port.name),
        metadata.name,
      ).toContain(targetPort);
  }
});

it("a new version of the chart that changes nothing of an agent pool leaves its pods alone", () => {
  const { labels } = deployed(render("all-options"), "agent-support");
  expect(Object.keys(labels).filter((label) => /version|chart/.test(label))).toEqual([]);
});

it("annotations of pods are whole with none of the user's and with some", () => {
  expect(Object.keys(deployed(render("default"), "gateway").annotations)).toEqual(["checksum/config"]);
  expect(deployed(render("all-options"), "gateway").annotations).toMatchObject({
    "example.com/common": "yes",
    "example.com/team": "voice",
    "checksum/keys": expect.any(String),
  });
});

it("says after an install where everything is", () => {
  // Helm 3 asks for a cluster even for this.
  const install = (name: string) => {
    const values = ["--values", `${chart}/ci/${name}-values.yaml`, "--namespace", NAMESPACE];
    const { output } = run(tools.helm4, ["install", "muster", chart, "--dry-run=client", ...values]);
    return output.slice(output.indexOf("NOTES:"));
  };
  expect(install("default")).toContain("ws://muster-router.voice.svc.cluster.local:80");
  expect(install("default")).toContain("No livekit-server is known");
  const all = install("all-options");
  expect(all).toContain("wss://livekit.example.com");
  expect(all).toContain("http://muster-api.voice.svc.cluster.local:7883/webhook");
  expect(all).toContain("muster-agent-support");
  expect(all).not.toMatch(/of-the-test|\{\{/);
});
