/**
 * What values.schema.json says of a value beyond the type of its default: bounds, forms, choices. By path; `*` is any one
 * name. The last rule that fits counts.
 */

const count = (minimum, maximum = 10_000) => ({ type: "integer", minimum, maximum });
const name = { type: "string", pattern: "^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$" };
const secretKey = { type: "string", pattern: "^[-._a-zA-Z0-9]{1,253}$" };
const port = { type: "integer", minimum: 1, maximum: 65_535 };
const texts = { type: "object", additionalProperties: { type: "string" } };
const objects = { type: "array", items: { type: "object" } };
const ports = { type: "array", items: port, minItems: 1 };
const intervalText = { type: "string", pattern: "^[0-9]+(ms|s|m|h)$" };
const budget = { type: ["integer", "string"], minimum: 1, pattern: "^([1-9][0-9]?|100)%$" };
const serviceType = { enum: ["ClusterIP", "NodePort", "LoadBalancer"] };
const variable = {
  type: "object",
  required: ["name"],
  properties: {
    name: { type: "string", pattern: "^[-._a-zA-Z][-._a-zA-Z0-9]*$" },
    value: { type: "string" },
  },
};

/** What may stand behind the "?" of a Redis url. */
const REDIS_PARAMETER = "(db=[0-9]+|sentinelPassword=\\$\\(REDIS_PASSWORD\\))";

export const rules = {
  // Names.
  "*.existingSecret": name,
  "*.*.existingSecret": name,
  "*.existingSecretKey": secretKey,
  "*.*.existingSecretKey": secretKey,
  "agentPoolDefaults.credentials.apiKeyKey": secretKey,
  "agentPoolDefaults.credentials.apiSecretKey": secretKey,
  "agentPoolDefaults.keda.tokenSecret": name,
  "agentPoolDefaults.keda.tokenSecretKey": secretKey,
  nameOverride: name,
  fullnameOverride: name,
  "serviceAccount.name": name,
  "livekit.serviceName": name,
  "livekit.namespace": name,
  clusterDomain: { type: "string", pattern: "^[a-z0-9][-a-z0-9.]{0,252}$" },
  "image.repository": { type: "string", minLength: 1 },
  // Unquoted, 1.0 is a number, and 1.10 another tag than it looks like.
  "image.tag": { type: "string" },
  "*.image.tag": { type: "string" },
  "image.pullPolicy": { enum: ["Always", "IfNotPresent", "Never"] },
  "*.image.pullPolicy": { enum: ["Always", "IfNotPresent", "Never"] },

  // Where things are.
  "redis.url": {
    type: "string",
    // No password but the one that Kubernetes puts in.
    pattern: `^$|^rediss?(\\+sentinel|\\+cluster)?://([^:@/]*(:\\$\\(REDIS_PASSWORD\\))?@)?[^@?]+(\\?${REDIS_PARAMETER}(&${REDIS_PARAMETER})*)?$`,
  },
  "livekit.url": { type: "string", pattern: "^$|^(https?|wss?)://[^/@?#]+/?$" },
  "livekit.servicePort": port,
  "agentPoolDefaults.livekitUrl": { type: "string", pattern: "^$|^(https?|wss?)://.+$" },
  "keda.prometheus.serverAddress": { type: "string", pattern: "^$|^https?://.+$" },
  "storeKeysInSecret.keys": {
    type: "object",
    propertyNames: { pattern: "^[^\\s:,]{1,128}$" },
    additionalProperties: { type: "string", pattern: "^[^\\n,]+$" },
  },

  "webhooks.urls": { type: "array", maxItems: 16, items: { type: "string", pattern: "^https?://\\S+$" } },

  // Numbers.
  "*.replicaCount": count(0),
  "*.terminationGracePeriodSeconds": count(0, 604_800),
  "*.service.port": port,
  "*.service.type": serviceType,
  "*.service.annotations": texts,
  "*.autoscaling.minReplicas": count(1),
  "*.autoscaling.maxReplicas": count(1),
  "*.autoscaling.targetCPUUtilizationPercentage": count(0, 1_000),
  "*.autoscaling.targetMemoryUtilizationPercentage": count(0, 1_000),
  "*.keda.minReplicas": count(1),
  "*.keda.maxReplicas": count(1),
  "*.keda.threshold": count(1, 1_000_000),
  "*.keda.targetCPUUtilizationPercentage": count(0, 1_000),
  "*.podDisruptionBudget.maxUnavailable": budget,
  "router.workerProcesses": count(1, 256),
  "router.workerConnections": count(16, 1_000_000),
  "router.drainSeconds": count(0, 86_400),
  "router.proxyTimeout": intervalText,
  "router.maxBodySize": { type: "string", pattern: "^[0-9]+[kmg]?$" },
  "router.trustedAs": {
    type: "string",
    pattern: "^$|^[0-9a-fA-F.:]+(/[0-9]{1,3})?(, *[0-9a-fA-F.:]+(/[0-9]{1,3})?)*$",
  },
  "router.resolver": { type: "string", pattern: "^[-a-zA-Z0-9.:\\[\\]]+$" },
  "router.trustedCertificate": { type: "string", pattern: "^/[-_./a-zA-Z0-9]+$" },
  "keda.pollingInterval": count(1, 3_600),
  "preStop.seconds": count(0, 3_600),
  "preStop.mode": { enum: ["auto", "sleep", "exec"] },
  "networkPolicy.*.ports": ports,
  "serviceMonitor.interval": intervalText,
  "serviceMonitor.scrapeTimeout": intervalText,
  "agentPoolDefaults.keda.minReplicas": count(0),
  "agentPoolDefaults.keda.pollingInterval": count(1, 3_600),
  "agentPoolDefaults.keda.cooldownPeriod": count(0, 86_400),
  "agentPoolDefaults.keda.headroom": { type: "number", minimum: 0, maximum: 1 },
  "agentPoolDefaults.keda.headroomSlots": count(0, 100_000),
  "agentPoolDefaults.keda.slotsPerWorker": count(0, 100_000),
  "agentPoolDefaults.keda.type": { enum: ["", "room", "publisher", "participant"] },
  "agentPoolDefaults.healthPort": { type: "integer", minimum: 0, maximum: 65_535 },
  "agentPoolDefaults.podMonitor.port": port,
  "agentPoolDefaults.podMonitor.interval": intervalText,

  // Lists and maps that are handed on to Kubernetes.
  "*.tolerations": objects,
  tolerations: objects,
  topologySpreadConstraints: objects,
  "*.topologySpreadConstraints": objects,
  extraEnv: { type: "array", items: variable },
  "*.extraEnv": { type: "array", items: variable },
  "agentPoolDefaults.env": { type: "array", items: variable },
  "agentPoolDefaults.envFrom": objects,
  extraVolumes: objects,
  "*.extraVolumes": objects,
  extraVolumeMounts: objects,
  "*.extraVolumeMounts": objects,
  imagePullSecrets: objects,
  "networkPolicy.ingressFrom": objects,
  "networkPolicy.metricsFrom": objects,
  "networkPolicy.*.to": objects,
  "networkPolicy.extraEgress": objects,
  "ingress.hosts": { type: "array", items: { type: "string", minLength: 1 } },
  "ingress.tls": objects,
  "httpRoute.parentRefs": objects,
  "httpRoute.hostnames": { type: "array", items: { type: "string", minLength: 1 } },
  "agentPoolDefaults.command": { type: "array", items: { type: "string" } },
  "agentPoolDefaults.args": { type: "array", items: { type: "string" } },
  podAnnotations: texts,
  podLabels: texts,
  "*.podAnnotations": texts,
  "*.podLabels": texts,
  nodeSelector: texts,
  "*.nodeSelector": texts,
  "*.annotations": texts,
  "*.labels": texts,
  "*.*.labels": texts,
};
