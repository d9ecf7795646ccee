/**
 * What must be true of the compose file, as Compose's own loader reads it, and of what it mounts. Settings are read by the
 * services' own schemas, Redis's by a real redis-server. That the proxy does what it should is proxy.test.ts.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { apiSchema } from "@muster/api/config";
import { dispatcherSchema } from "@muster/dispatcher/config";
import { gatewaySchema } from "@muster/gateway/config";
import { loadConfig } from "@muster/runtime/config";
import { KNOWN_VARIABLES } from "@muster/runtime/known-variables";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { commandsOf, readDockerfile } from "../images/dockerfile.js";
import { startRedis } from "../kit/redis-server.js";
import { type ComposeService, folder, readCompose } from "./compose-file.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const compose = readCompose();
const { services } = compose;
const SCHEMAS = { gateway: gatewaySchema, dispatcher: dispatcherSchema, api: apiSchema };
/** What each main.ts gives its steps beyond the drain. */
const STOP_SLACK_MS = 10_000;

const entries = Object.entries(services);
const service = (name: string): ComposeService => {
  const found = services[name];
  if (found === undefined) throw new Error(`the compose file has no ${name}`);
  return found;
};
const yamlIn = (path: string): unknown => parse(readFileSync(join(folder, path), "utf8"));

/** As Go writes it: 1m0s. */
function millisecondsOf(duration = ""): number {
  const [, hours, minutes, seconds] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(duration) ?? [];
  return ((Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60 + Number(seconds ?? 0)) * 1_000;
}

function settingsOf(name: keyof typeof SCHEMAS) {
  const warnings: string[] = [];
  const env = service(name).environment ?? {};
  const warn = (line: string) => warnings.push(line);
  const config = loadConfig({ schema: SCHEMAS[name], env, argv: [], envPrefix: "MUSTER_", warn });
  expect(warnings).toEqual([]);
  return config;
}

describe("the compose file", () => {
  it("runs two gateways, two dispatchers, and all around them", () => {
    expect(Object.keys(services).sort()).toEqual(
      ["agent", "api", "dispatcher", "gateway", "grafana", "livekit", "prometheus", "proxy", "redis"].sort(),
    );
    expect(service("gateway").deploy?.replicas).toBe(2);
    expect(service("dispatcher").deploy?.replicas).toBe(2);
  });

  it("is refused without the values of .env.example, which has exactly those that are read", () => {
    expect(() => readCompose(undefined, "/dev/null")).toThrow(
      /LIVEKIT_API_KEY is missing a value: copy \.env\.example/,
    );
    const read = new Set(readFileSync(`${folder}compose.yaml`, "utf8").match(/(?<=\$\{)\w+/g));
    const given = readFileSync(`${folder}.env.example`, "utf8").match(/^\w+(?==)/gm) ?? [];
    expect(given.sort()).toEqual([...read].sort());
  });

  it.each(Object.keys(SCHEMAS) as (keyof typeof SCHEMAS)[])("gives the %s settings that it takes", (name) => {
    const config = settingsOf(name);
    const own = service(name);
    for (const variable of Object.keys(own.environment ?? {})) expect(KNOWN_VARIABLES).toContain(variable);
    expect(millisecondsOf(own.stop_grace_period)).toBeGreaterThanOrEqual(config.drainMs + STOP_SLACK_MS);
    const path = "/app/healthcheck.mjs";
    expect(own.healthcheck?.test).toEqual(["CMD", "node", path, String(config.port), "/readyz"]);
    const redis = new URL(String(config.redisUrl));
    expect(Object.keys(services)).toContain(redis.hostname);
    const keys = parse(`{${service("livekit").environment?.LIVEKIT_KEYS}}`) as Record<string, string>;
    if (config.keys !== undefined) expect(Object.fromEntries(config.keys)).toEqual(keys);
  });

  it("builds its images by targets that are there, and pins all others by a version", () => {
    for (const [name, { image, build }] of entries) {
      if (build === undefined) expect(image, name).toMatch(/^[a-z0-9./-]+:v?\d+\.\d+[\w.-]*$/);
      else {
        const dockerfile = readDockerfile(join(build.context, build.dockerfile ?? "Dockerfile"));
        expect(dockerfile.warnings).toEqual([]);
        if (build.target !== undefined) expect(commandsOf(dockerfile, build.target)).not.toEqual([]);
      }
    }
  });

  it("mounts what is there, read-only, and writes to volumes that it names", () => {
    for (const [name, { volumes = [] }] of entries) {
      for (const { type, source, target, read_only } of volumes) {
        if (type === "volume") expect(Object.keys(compose.volumes), name).toContain(source);
        else {
          expect(read_only, `${name}: ${target}`).toBe(true);
          expect(existsSync(source), source).toBe(true);
        }
      }
    }
  });

  it("publishes no port twice, and only the proxy and LiveKit's media beyond this machine", () => {
    const published = entries.flatMap(([name, { ports = [] }]) =>
      ports.map((port) => ({ name, key: `${port.published}/${port.protocol}`, ...port })),
    );
    expect(new Set(published.map(({ key }) => key)).size).toBe(published.length);
    const open = published
      .filter(({ host_ip }) => host_ip !== "127.0.0.1")
      .map(({ name, key }) => `${name} ${key}`);
    expect(open.sort()).toEqual(["livekit 7881/tcp", "livekit 7882/udp", "proxy 7880/tcp"]);
    const livekit = yamlIn("livekit.yaml") as { port: number; rtc: { tcp_port: number; udp_port: number } };
    expect(service("livekit").ports?.map(({ target }) => target)).toEqual([
      livekit.rtc.tcp_port,
      livekit.rtc.udp_port,
    ]);
    for (const { name, ...port } of published) expect(String(port.target), name).toBe(port.published);
  });

  it("leaves every container as little as it needs", () => {
    for (const [name, one] of entries) {
      expect(one.read_only, name).toBe(true);
      expect(one.cap_drop, name).toEqual(["ALL"]);
      expect(one.cap_add, name).toBeUndefined();
      expect(one.privileged ?? false, name).toBe(false);
      // With it, a container is reached past the proxy.
      expect(one.network_mode, name).toBeUndefined();
      expect(one.stop_grace_period, name).toBeDefined();
    }
  });

  it("waits for the health of whatever something depends on", () => {
    for (const [name, { depends_on = {} }] of entries)
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect(condition, `${name} on ${other}`).toBe("service_healthy");
        expect(service(other).healthcheck?.test, other).toBeDefined();
      }
  });

  it("runs a Redis that evicts nothing and appends every second", async () => {
    const [program, ...args] = service("redis").command ?? [];
    expect(program).toBe("redis-server");
    const redis = await startRedis({ args });
    try {
      const client = redis.client();
      const setting = async (name: string) => (await client.config("GET", name))[1];
      expect(await setting("appendonly")).toBe("yes");
      expect(await setting("appendfsync")).toBe("everysec");
      expect(await setting("maxmemory-policy")).toBe("noeviction");
    } finally {
      await redis.stop();
    }
  });
});

describe("what the compose file mounts", () => {
  it("LiveKit tells the api of its rooms, by a key that both know", () => {
    const { webhook } = yamlIn("livekit.yaml") as { webhook: { urls: string[] } };
    expect(webhook.urls).toEqual([`http://api:${settingsOf("api").port}/webhook`]);
    const { LIVEKIT_WEBHOOK_API_KEY = "", LIVEKIT_KEYS = "" } = service("livekit").environment ?? {};
    expect(LIVEKIT_KEYS.startsWith(`${LIVEKIT_WEBHOOK_API_KEY}: `)).toBe(true);
  });

  it("the proxy leads to services that are there, on their ports", () => {
    const where = readFileSync(`${folder}proxy/where.conf`, "utf8");
    const led = Object.fromEntries(
      [...where.matchAll(/^set \$(\w+) (\S+);$/gm)].map(([, name, to]) => [name, to]),
    );
    const { port } = yamlIn("livekit.yaml") as { port: number };
    expect(led).toEqual({
      gateway: `gateway:${settingsOf("gateway").port}`,
      api: `api:${settingsOf("api").port}`,
      livekit: `livekit:${port}`,
    });
    const [listen] = service("proxy").ports ?? [];
    expect(where).toContain(`listen ${listen?.target};`);
  });

  it("Prometheus scrapes each service on its port, and reads the rules", () => {
    const { scrape_configs, rule_files } = yamlIn("prometheus.yaml") as PrometheusFile;
    const scraped = scrape_configs.flatMap(({ job_name, dns_sd_configs = [] }) =>
      dns_sd_configs.map(({ names, port }) => `${job_name} ${names.join()}:${port}`),
    );
    const livekit = yamlIn("livekit.yaml") as { prometheus: { port: number } };
    expect(scraped).toEqual([
      ...(["gateway", "dispatcher", "api"] as const).map(
        (name) => `muster-${name} ${name}:${settingsOf(name).port}`,
      ),
      `livekit livekit:${livekit.prometheus.port}`,
    ]);
    const mounted = service("prometheus").volumes?.map(({ target }) => target);
    expect(rule_files).toEqual(["rules/*.yaml"]);
    expect(mounted).toContain("/etc/prometheus/rules/muster-alerts.yaml");
  });

  it("Grafana is given the Prometheus beside it, and the folder of the dashboards", () => {
    const { datasources } = yamlIn("grafana/datasources/prometheus.yaml") as {
      datasources: { url: string }[];
    };
    expect(datasources.map(({ url }) => url)).toEqual(["http://prometheus:9090"]);
    const { providers } = yamlIn("grafana/dashboards/muster.yaml") as {
      providers: { options: { path: string } }[];
    };
    const targets = service("grafana").volumes?.map(({ target }) => target);
    for (const { options } of providers) expect(targets).toContain(options.path);
  });

  it("the example agent has the versions that the tests run it with", () => {
    const versions = (path: string) =>
      JSON.parse(readFileSync(join(root, path), "utf8")) as {
        dependencies: object;
        devDependencies?: object;
      };
    const { dependencies } = versions("deploy/compose/agent/package.json");
    const ours = {
      ...versions("package.json").devDependencies,
      ...versions("test/package.json").dependencies,
    };
    expect(ours).toMatchObject(dependencies);
  });
});

describe("the check itself", () => {
  it("is told by Compose's loader of a key that it does not know and of a condition that is none", () => {
    const text = readFileSync(`${folder}compose.yaml`, "utf8");
    const scratch = mkdtempSync(join(tmpdir(), "muster-compose-"));
    const wrong = join(scratch, "compose.yaml");
    try {
      writeFileSync(wrong, text.replace("    restart:", "    restrat:"));
      expect(() => readCompose(wrong)).toThrow(/restrat/);
      writeFileSync(wrong, text.replace("condition: service_healthy", "condition: healthy"));
      expect(() => readCompose(wrong)).toThrow(/condition value must be one of/);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});

interface PrometheusFile {
  rule_files: string[];
  scrape_configs: { job_name: string; dns_sd_configs?: { names: string[]; port: number }[] }[];
}
