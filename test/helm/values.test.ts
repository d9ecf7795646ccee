/** What the chart refuses, and that it says where. */

import { expect, it } from "vitest";
import { LEAST, template } from "./chart.js";

function refusal(values: object, helm: "helm3" | "helm4" = "helm3"): string {
  const { code, errors } = template({ ...LEAST, ...values }, helm);
  expect(code, "it was taken").not.toBe(0);
  return errors;
}

const pool = (values: object) => ({ agentPools: { support: { image: { repository: "agent" }, ...values } } });

/** Values, and what must be named: the field, or its name at the end of its path. */
const BY_SCHEMA: [where: string, values: object][] = [
  ["gatway", { gatway: { replicaCount: 3 } }],
  ["replicas", { gateway: { replicas: 3 } }],
  ["replicaCount", { gateway: { replicaCount: "three" } }],
  ["replicaCount", { api: { replicaCount: -1 } }],
  ["maxReplica", { dispatcher: { autoscaling: { maxReplica: 3 } } }],
  ["enabled", { gateway: { autoscaling: { enabled: "yes" } } }],
  ["minReplicas", { gateway: { keda: { minReplicas: 0 } } }],
  ["maxUnavailable", { gateway: { podDisruptionBudget: { maxUnavailable: 0 } } }],
  ["graceMS", { muster: { graceMS: "35s" } }],
  ["graceMs", { muster: { graceMs: "35 seconds" } }],
  ["keys", { muster: { keys: "a: b" } }],
  ["port", { muster: { port: 1 } }],
  ["createRooms", { muster: { createRooms: "yes" } }],
  ["maxAttempts", { gateway: { muster: { maxAttempts: 3 } } }],
  ["maxJobsPerWorker", { gateway: { muster: { maxJobsPerWorker: "many" } } }],
  ["url", { redis: { url: "redis://:hunter2@redis:6379" } }],
  ["url", { redis: { url: "redis:6379" } }],
  ["url", { livekit: { url: "livekit-server" } }],
  ["url", { livekit: { url: "http://livekit-server/path" } }],
  ["servicePort", { livekit: { serviceName: "livekit", servicePort: 70_000 } }],
  ["tag", { image: { tag: 1.1 } }],
  ["pullPolicy", { image: { pullPolicy: "Sometimes" } }],
  ["mode", { preStop: { mode: "none" } }],
  ["my-key", { storeKeysInSecret: { keys: { "my-key": 12 } } }],
  ["hosts", { ingress: { enabled: true, hosts: "example.com" } }],
  ["proxyTimeout", { router: { proxyTimeout: "for ever" } }],
  ["proxyTimeout", { router: { proxyTimeout: "1h; }" } }],
  ["ports", { networkPolicy: { redis: { ports: [] } } }],
  ["interval", { serviceMonitor: { interval: 30 } }],
  ["podAnnotations", { podAnnotations: { "example.com/on": true } }],
  ["nodeSelector", { nodeSelector: ["a"] }],
  ["Support", { agentPools: { Support: { image: { repository: "agent" } } } }],
  ["replicas", pool({ replicas: 3 })],
  ["headroom", pool({ keda: { headroom: 2 } })],
  ["type", pool({ keda: { type: "rooms" } })],
];

it.each(BY_SCHEMA)("%s is refused by the schema: %j", (where, values) => {
  const said = refusal(values);
  expect(said).toContain("values don't meet the specifications of the schema");
  expect(said).toContain(where);
});

it("Helm 4 reads the schema too", () => {
  expect(refusal({ gatway: {} }, "helm4")).toContain("gatway");
  expect(refusal({ gateway: { replicaCount: "three" } }, "helm4")).toContain("replicaCount");
});

const KEDA = { keda: { enabled: true } };
/** What only shows when values are seen together. */
const TOGETHER: [said: string, values: object][] = [
  ["redis.url: Muster needs a Redis", { redis: {} }],
  ["redis.url: not together", { redis: { url: "redis://redis", existingSecret: "redis" } }],
  ["redis.password.existingSecret: ", { redis: { url: "redis://:$(REDIS_PASSWORD)@redis" } }],
  [
    "redis.url: must have $(REDIS_PASSWORD)",
    { redis: { url: "redis://a", password: { existingSecret: "b" } } },
  ],
  ["storeKeysInSecret: Muster needs API keys", { storeKeysInSecret: {} }],
  ["storeKeysInSecret.keys: not together", { storeKeysInSecret: { existingSecret: "a", keys: { b: "c" } } }],
  ["livekit.url: not together", { livekit: { serviceName: "livekit", url: "https://livekit.example.com" } }],
  ["webhooks.urls: not together", { webhooks: { urls: ["https://a"], existingSecret: "b" } }],
  [
    "gateway.keda.enabled: not together with gateway.autoscaling.enabled",
    {
      gateway: { ...KEDA, autoscaling: { enabled: true } },
      keda: { prometheus: { serverAddress: "http://p" } },
    },
  ],
  ["keda.prometheus.serverAddress: is needed by dispatcher.keda", { dispatcher: KEDA }],
  [
    "api.autoscaling: needs a target",
    { api: { autoscaling: { enabled: true, targetCPUUtilizationPercentage: 0 } } },
  ],
  [
    "gateway.terminationGracePeriodSeconds: must be at least 50",
    { gateway: { terminationGracePeriodSeconds: 30 } },
  ],
  [
    "muster.offerTimeoutMaxMs: 10000 ms is too short for gateway: must be at least 1/1 of muster.offerTimeoutMs, which is 15000 ms",
    { muster: { offerTimeoutMs: "15s" } },
  ],
  ["muster.silenceMs: 5000 ms is too short", { gateway: { muster: { silenceMs: 5_000 } } }],
  ["muster.holdMs: 5000 ms is too short for dispatcher", { muster: { leaseMs: "20s" } }],
  ["ingress.hosts: must name", { ingress: { enabled: true } }],
  ["httpRoute.parentRefs: must name", { httpRoute: { enabled: true } }],
  ["agentPools.support.image.repository: must name", { agentPools: { support: {} } }],
  ["agentPools.support.credentials.existingSecret: must name", pool({})],
  [
    "agentPools.support.livekitUrl: is needed",
    { ...pool({ credentials: { existingSecret: "a" } }), router: { enabled: false } },
  ],
  [
    "agentPools.support.keda.tokenSecret: must name",
    pool({ credentials: { existingSecret: "a" }, keda: { enabled: true } }),
  ],
];

it.each(TOGETHER)("%s …", (said, values) => {
  expect(refusal(values)).toContain(said);
});

it("refuses nothing that is right", () => {
  for (const values of [
    { redis: { url: "redis://user:$(REDIS_PASSWORD)@redis:6379/2", password: { existingSecret: "redis" } } },
    { redis: { url: "rediss+cluster://a:6379,b:6379,c:6379" } },
    { redis: { existingSecret: "redis" } },
    { storeKeysInSecret: { enabled: false } },
    { muster: { graceMs: 35_000, drainMs: "2m" } },
    { gateway: { terminationGracePeriodSeconds: 50 } },
    { router: { enabled: false } },
    { muster: { offerTimeoutMs: "8s", holdMs: 0 } },
    { livekit: { url: "wss://livekit.example.com" } },
    { global: { anything: true } },
  ]) {
    const { code, errors } = template({ ...LEAST, ...values });
    expect(errors, JSON.stringify(values)).toBe("");
    expect(code).toBe(0);
  }
});
