/**
 * `node test/helm/schemas/derive.mjs`: makes the schemas beside it, which hold the chart's objects to what Kubernetes, KEDA, the
 * Gateway API and the Prometheus operator take. From the descriptions that these publish in their Go modules, only of the kinds that the
 * chart makes, without their prose, and strict: a field that is not described is refused.
 */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";

const KUBERNETES = "k8s.io/kubernetes@v1.36.3";
const GATEWAY_API = "sigs.k8s.io/gateway-api@v1.5.1";
const KEDA = "github.com/kedacore/keda/v2@v2.21.0";
const PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0";

/** Group, version and kind, and how Kubernetes calls them in its swagger. */
const KINDS = [
  ["", "v1", "ConfigMap", "core"],
  ["", "v1", "Secret", "core"],
  ["", "v1", "Service", "core"],
  ["", "v1", "ServiceAccount", "core"],
  ["", "v1", "Pod", "core"],
  ["apps", "v1", "Deployment", "apps"],
  ["autoscaling", "v2", "HorizontalPodAutoscaler", "autoscaling"],
  ["policy", "v1", "PodDisruptionBudget", "policy"],
  ["networking.k8s.io", "v1", "NetworkPolicy", "networking"],
  ["networking.k8s.io", "v1", "Ingress", "networking"],
];

const CRDS = [
  [GATEWAY_API, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml", "v1"],
  [KEDA, "config/crd/bases/keda.sh_scaledobjects.yaml", "v1alpha1"],
  [KEDA, "config/crd/bases/keda.sh_triggerauthentications.yaml", "v1alpha1"],
  ...["servicemonitors", "podmonitors", "prometheusrules"].map((kinds) => [
    PROMETHEUS_OPERATOR,
    `example/prometheus-operator-crd/monitoring.coreos.com_${kinds}.yaml`,
    "v1",
  ]),
];

const folders = new Map();
function moduleFolder(module) {
  if (!folders.has(module)) {
    const said = execFileSync("go", ["mod", "download", "-json", module], {
      encoding: "utf8",
      env: { ...process.env, GOTOOLCHAIN: "local" },
    });
    folders.set(module, JSON.parse(said).Dir);
  }
  return folders.get(module);
}

/** What a validator needs, and nothing it would trip over. */
function strict(schema, refer) {
  if (Array.isArray(schema)) return schema.map((one) => strict(one, refer));
  if (typeof schema !== "object" || schema === null) return schema;
  if (schema.$ref !== undefined) return refer(schema.$ref);
  if (schema["x-kubernetes-int-or-string"] || schema.format === "int-or-string")
    return { type: ["integer", "string"] };
  const kept = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith("x-") || ["description", "default", "format", "example", "title"].includes(key))
      continue;
    if (key === "properties")
      kept.properties = Object.fromEntries(
        Object.entries(value).map(([name, one]) => [name, strict(one, refer)]),
      );
    else
      kept[key] =
        typeof value === "object" && key !== "required" && key !== "enum" ? strict(value, refer) : value;
  }
  const isOpen = schema["x-kubernetes-preserve-unknown-fields"] || schema.additionalProperties !== undefined;
  if (kept.properties !== undefined && !isOpen) kept.additionalProperties = false;
  return kept;
}

/** Without the fields that only a server writes. */
function written(schema, apiVersion, kind) {
  delete schema.properties.status;
  schema.properties.apiVersion = { const: apiVersion };
  schema.properties.kind = { const: kind };
  schema.required = [...new Set([...(schema.required ?? []), "apiVersion", "kind", "metadata"])].filter(
    (name) => name !== "status",
  );
  return schema;
}

function write(group, version, kind, source, schema) {
  // As kubeconform asks for them.
  const name = [kind.toLowerCase(), ...group.split(".").slice(0, 1), version]
    .filter((part) => part !== "")
    .join("-");
  const text = JSON.stringify({ $comment: `Derived from ${source}, Apache-2.0`, ...schema });
  writeFileSync(new URL(`${name}.json`, import.meta.url), `${text}\n`);
  process.stdout.write(`${name} ${Math.round(text.length / 1024)} KiB\n`);
}

const swagger = JSON.parse(
  readFileSync(`${moduleFolder(KUBERNETES)}/api/openapi-spec/swagger.json`, "utf8"),
).definitions;

function definitionsFrom(root) {
  const definitions = {};
  const refer = (reference) => {
    const name = reference.split("/").at(-1);
    const short = name.split(".").slice(-3).join("-");
    // A quantity is written as a number too.
    if (name.endsWith(".Quantity")) return { type: ["string", "number"] };
    if (!(short in definitions)) {
      definitions[short] = {};
      definitions[short] = strict(swagger[name], refer);
    }
    return { $ref: `#/definitions/${short}` };
  };
  return { schema: strict(swagger[root], refer), definitions };
}

for (const [group, version, kind, home] of KINDS) {
  const { schema, definitions } = definitionsFrom(`io.k8s.api.${home}.${version}.${kind}`);
  const apiVersion = group === "" ? version : `${group}/${version}`;
  write(group, version, kind, KUBERNETES, { ...written(schema, apiVersion, kind), definitions });
}

let metadata;
for (const [module, path, version] of CRDS) {
  const { spec } = parse(readFileSync(`${moduleFolder(module)}/${path}`, "utf8"));
  const { schema } = spec.versions.find(({ name }) => name === version);
  const { kind } = spec.names;
  const made = written(strict(schema.openAPIV3Schema), `${spec.group}/${version}`, kind);
  metadata ??= definitionsFrom("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
  made.properties.metadata = metadata.schema;
  write(spec.group, version, kind, module, { ...made, definitions: metadata.definitions });
}
