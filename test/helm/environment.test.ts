/** What the services are told: settings, secrets, and when they are replaced because of them. */

import { apiSchema } from "@muster/api/config";
import { dispatcherSchema } from "@muster/dispatcher/config";
import { gatewaySchema } from "@muster/gateway/config";
import { loadConfig } from "@muster/runtime/config";
import { KNOWN_VARIABLES } from "@muster/runtime/known-variables";
import { parseRedisUrl } from "@muster/runtime/redis/url";
import { expect, it } from "vitest";
import { deployed, type KubeObject, LEAST, one, render, SERVICES } from "./chart.js";

const CASES = ["default", "all-options"] as const;
const schemas = { gateway: gatewaySchema, dispatcher: dispatcherSchema, api: apiSchema };

/** A container's variables as Kubernetes makes them, with `secrets` for those of Secrets. */
function environment(
  objects: KubeObject[],
  service: string,
  secrets: Record<string, string>,
): Record<string, string> {
  const [container] = deployed(objects, service).spec.containers;
  const env: Record<string, string> = {};
  for (const { configMapRef } of container?.envFrom ?? [])
    Object.assign(env, one(objects, "ConfigMap", configMapRef?.name ?? "").data);
  for (const { name, value, valueFrom } of container?.env ?? []) {
    const given =
      valueFrom === undefined ? (value ?? "") : (secrets[name] ?? expect.fail(`no secret for ${name}`));
    env[name] = given.replace(/\$\((\w+)\)/g, (all, other: string) => env[other] ?? all);
  }
  return env;
}

const SECRETS = {
  REDIS_PASSWORD: "p%40ss",
  MUSTER_REDIS_URL: "redis://redis:6379",
  MUSTER_KEYS: "first: first-secret-of-the-test\nsecond: second-secret-of-the-test\n",
  MUSTER_LIVEKIT_KEYS: "livekit: secret\n",
  MUSTER_WEBHOOK_URLS: "https://hooks.example.com/one\nhttps://hooks.example.com/two\n",
};

it.each(CASES)("each service starts with what it is given, and knows every variable: %s", (name) => {
  const objects = render(name);
  for (const service of SERVICES) {
    const env = environment(objects, service, SECRETS);
    const warnings: string[] = [];
    loadConfig({
      schema: schemas[service],
      env,
      argv: [],
      envPrefix: "MUSTER_",
      warn: (line) => warnings.push(line),
    });
    expect(warnings, service).toEqual([]);
    for (const variable of Object.keys(env).filter((one) => one.startsWith("MUSTER_")))
      expect([...KNOWN_VARIABLES], service).toContain(variable);
    const [container] = deployed(objects, service).spec.containers;
    expect(env.MUSTER_PORT, service).toBe(String(container?.ports?.[0]?.containerPort));
  }
});

it("settings reach the services that know them, as they were written", () => {
  const objects = render("all-options");
  const of = (service: string) => environment(objects, service, SECRETS);
  for (const service of SERVICES) expect(of(service).MUSTER_RETENTION_MS).toBe("86400000");
  expect(of("gateway")).toMatchObject({
    MUSTER_DRAIN_MS: "2m",
    MUSTER_WORKER_LABELS: "zone=a,gpu=l4",
    MUSTER_GRACE_MS: "35s",
  });
  expect(of("gateway")).not.toHaveProperty("MUSTER_CREATE_ROOMS");
  expect(of("gateway")).not.toHaveProperty("MUSTER_LIVEKIT_URL");
  expect(of("api")).toMatchObject({ MUSTER_CREATE_ROOMS: "false", MUSTER_DRAIN_MS: "2s" });
  expect(of("dispatcher").MUSTER_LIVEKIT_URL).toBe("http://livekit-server.media.svc.cluster.local:80");
  expect(of("dispatcher")).not.toHaveProperty("MUSTER_KEYS");
  expect(of("api").MUSTER_REDIS_URL).toBe(
    "rediss+sentinel://muster:p%40ss@sentinel-0.redis:26379,sentinel-1.redis:26379/main?db=1",
  );
});

it.each([
  "redis://redis:6379",
  "redis://:$(REDIS_PASSWORD)@redis:6379/3",
  "rediss://muster:$(REDIS_PASSWORD)@redis:6380",
  "rediss+sentinel://:$(REDIS_PASSWORD)@a:26379,b:26379/main?db=1",
  "redis+cluster://muster:$(REDIS_PASSWORD)@a,b,c",
])("Muster reads the Redis url that the chart lets through: %s", (url) => {
  const password = url.includes("$(") ? { password: { existingSecret: "redis" } } : {};
  const env = environment(render({ ...LEAST, redis: { url, ...password } }), "gateway", SECRETS);
  const target = parseRedisUrl(env.MUSTER_REDIS_URL ?? "");
  expect(target.password).toBe(url.includes("$(") ? "p@ss" : undefined);
  expect(target.tls).toBe(url.startsWith("rediss"));
});

it("a dispatcher that asks livekit-server has keys to ask with, and no others", () => {
  const livekit = { serviceName: "livekit-server" };
  const names = (values: object) =>
    Object.keys(environment(render({ ...LEAST, ...values }), "dispatcher", SECRETS)).filter((name) =>
      name.includes("KEYS"),
    );
  expect(names({})).toEqual([]);
  expect(names({ livekit })).toEqual(["MUSTER_KEYS"]);
  expect(names({ livekit: { ...livekit, existingSecret: "livekit" } })).toEqual(["MUSTER_LIVEKIT_KEYS"]);
});

it("no secret stands anywhere but in a Secret", () => {
  const objects = render("all-options");
  const secret = /first-secret-of-the-test|second-secret-of-the-test|secret-of-a-url/;
  const kinds = objects.filter((object) => secret.test(JSON.stringify(object))).map(({ kind }) => kind);
  expect(new Set(kinds)).toEqual(new Set(["Secret"]));
  const { stringData } = one(objects, "Secret", "muster-keys");
  expect(stringData).toEqual({
    "keys.yaml": "first: first-secret-of-the-test\nsecond: second-secret-of-the-test\n",
    LIVEKIT_API_KEY: "first",
    LIVEKIT_API_SECRET: "first-secret-of-the-test",
  });
});

it("pods are replaced when what they read changes, and only those", () => {
  const base = { ...LEAST, storeKeysInSecret: { keys: { a: "one" } } };
  const checksums = (values: object) => {
    const objects = render({ ...base, ...values });
    return Object.fromEntries(
      [...SERVICES, "router"].map((name) => [name, JSON.stringify(deployed(objects, name).annotations)]),
    );
  };
  const before = checksums({});
  const changed = (values: object) => {
    const after = checksums(values);
    return Object.keys(before).filter((name) => before[name] !== after[name]);
  };
  expect(changed({})).toEqual([]);
  expect(changed({ gateway: { muster: { region: "eu" } } })).toEqual(["gateway"]);
  expect(changed({ muster: { logLevel: "debug" } })).toEqual([...SERVICES]);
  expect(changed({ storeKeysInSecret: { keys: { a: "two" } } })).toEqual([...SERVICES]);
  expect(changed({ webhooks: { urls: ["https://a.example.com"] } })).toEqual(["api"]);
  expect(changed({ livekit: { serviceName: "livekit" } })).toEqual(["dispatcher", "api", "router"]);
  expect(changed({ api: { service: { port: 9_000 } } })).toEqual(["api", "router"]);
});
