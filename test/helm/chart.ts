/**
 * Owns the chart in tests: renders it with Helm itself, and gives back what Kubernetes would get. Programs that it needs are
 * brought on first use.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const chart = `${root}deploy/helm/muster`;
/** Where it is installed in tests. */
export const NAMESPACE = "voice";

export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }[];
  envFrom?: { configMapRef?: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  lifecycle?: { preStop: { sleep?: { seconds: number }; exec?: { command: string[] } } };
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: Record<string, unknown>;
  volumeMounts?: { name: string; mountPath: string }[];
}

interface Probe {
  httpGet: { path: string; port: string };
}

export interface PodSpec {
  containers: Container[];
  terminationGracePeriodSeconds?: number;
  securityContext?: Record<string, unknown>;
  enableServiceLinks?: boolean;
  automountServiceAccountToken?: boolean;
  topologySpreadConstraints?: { labelSelector: Selector; topologyKey: string }[];
  volumes?: { name: string }[];
}

export interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: "In"; values: string[] }[];
}

export interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
}

export interface NetworkRule {
  from?: Peer[];
  to?: Peer[];
  ports?: { protocol: string; port: number | string }[];
}

export interface Backend {
  name: string;
  port: number | { name?: string; number?: number };
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels: Record<string, string>;
    annotations?: Record<string, string>;
  };
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  spec: PodSpec & {
    replicas?: number;
    template?: {
      metadata: { labels: Record<string, string>; annotations: Record<string, string> };
      spec: PodSpec;
    };
    selector?: Selector & Record<string, unknown>;
    scaleTargetRef?: { name: string };
    minReplicaCount?: number;
    maxReplicaCount?: number;
    triggers?: { type: string; metadata: Record<string, string> }[];
    podSelector?: Selector;
    ingress?: NetworkRule[];
    egress?: NetworkRule[];
    groups?: unknown[];
    ports?: { name: string; port: number; targetPort: string }[];
    endpoints?: { port: string }[];
    podMetricsEndpoints?: { port: string }[];
    rules?: {
      http?: { paths: { path: string; pathType: string; backend: { service: Backend } }[] };
      matches?: { path: { type: string; value: string } }[];
      timeouts?: { request: string };
      backendRefs?: Backend[];
    }[];
  };
}

export const SERVICES = ["gateway", "dispatcher", "api"] as const;
export type Service = (typeof SERVICES)[number];

/** The least that must be said. */
export const LEAST = {
  redis: { url: "redis://redis:6379" },
  storeKeysInSecret: { existingSecret: "livekit-keys" },
};

type Tool = "helm3" | "helm4" | "kubeconform";

/** Brings programs where there are none, which may take a while: for the top of a module, where no test waits for it. */
export function bringTools<T extends Tool>(...names: T[]): Record<T, string> {
  const said = execFileSync(process.execPath, [`${root}scripts/lib/chart-tools.mjs`, ...names], {
    encoding: "utf8",
    timeout: 600_000,
  });
  return JSON.parse(said) as Record<T, string>;
}

/** Their paths. */
export const tools = bringTools("helm3", "helm4", "kubeconform");

export interface Run {
  code: number | null;
  output: string;
  errors: string;
}

export function run(command: string, args: string[], input = "", env: Record<string, string> = {}): Run {
  const { status, stdout, stderr } = spawnSync(command, args, {
    input,
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: 30_000,
    maxBuffer: 32 * 1024 * 1024,
  });
  return { code: status, output: stdout, errors: stderr };
}

const rendered = new Map<string, Run>();

/** `values`: an object, or the name of a file in the chart's ci folder. Rendered once in a file of tests. */
export function template(
  values: object | string,
  helm: "helm3" | "helm4" = "helm3",
  release = "muster",
): Run {
  const key = JSON.stringify([values, helm, release]);
  const known = rendered.get(key) ?? templateAnew(values, helm, release);
  rendered.set(key, known);
  return known;
}

function templateAnew(values: object | string, helm: "helm3" | "helm4", release: string): Run {
  const given = typeof values === "string" ? `${chart}/ci/${values}-values.yaml` : "-";
  const args = ["template", release, chart, "--namespace", NAMESPACE, "--values", given];
  return run(tools[helm], args, typeof values === "string" ? "" : JSON.stringify(values));
}

export function objectsIn(text: string): KubeObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

/** Throws with Helm's words when it refuses. */
export function render(values: object | string, release?: string): KubeObject[] {
  const { code, output, errors } = template(values, "helm3", release);
  if (code !== 0) throw new Error(errors);
  return objectsIn(output);
}

export function one(objects: KubeObject[], kind: string, name: string): KubeObject {
  const fitting = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  if (fitting.length !== 1 || fitting[0] === undefined)
    throw new Error(
      `${fitting.length} of ${kind} ${name} among ${objects.map(({ metadata }) => metadata.name)}`,
    );
  return fitting[0];
}

export interface Pod {
  name: string;
  kind: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  spec: PodSpec;
}

/** The pods of Deployments, and those that stand alone. */
export function podsOf(objects: KubeObject[]): Pod[] {
  return objects.flatMap(({ kind, metadata, spec }): Pod[] => {
    if (kind === "Deployment" && spec.template !== undefined)
      return [{ name: metadata.name, kind, ...spec.template.metadata, spec: spec.template.spec }];
    const { name, labels, annotations = {} } = metadata;
    return kind === "Pod" ? [{ name, kind, labels, annotations, spec }] : [];
  });
}

export function selects(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Record<string, string>,
): boolean {
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ""))
  );
}

/** The pods of one Deployment of the release `muster`. */
export function deployed(objects: KubeObject[], service: string): Pod {
  const [pod] = podsOf([one(objects, "Deployment", `muster-${service}`)]);
  if (pod === undefined) throw new Error(`the Deployment of ${service} has no pods`);
  return pod;
}
