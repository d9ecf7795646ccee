/** /metrics, on a port of its own and with a token, of each service as it is run. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../kit/ports.js";
import { type RedisServer, startRedis } from "../kit/redis-server.js";
import { type ServiceName, type ServiceProcess, startService } from "../kit/service-process.js";

const TOKEN = "a-token-that-is-long-enough";
const SERVICES: ServiceName[] = ["gateway", "dispatcher", "api", "standalone"];
let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const settings = () => ({ MUSTER_REDIS_URL: redis.url, MUSTER_KEYS: "key: secret" });

async function statusOf(port: number, token?: string): Promise<number> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers });
  const text = await answer.text();
  expect(text.includes("muster_build_info")).toBe(answer.status === 200);
  return answer.status;
}

test.each(SERVICES)(
  "the port of the %s cannot be that of its metrics: it says so and exits 2",
  async (name) => {
    const port = String(await freePort());
    const start = startService(name, {
      ...settings(),
      // One more problem, to see that both are told.
      MUSTER_LOG_LEVEL: "loud",
      ...{ MUSTER_PORT: port, MUSTER_METRICS_PORT: port },
    });
    const { message } = await start.then(
      (service) => service.stop().then(() => new Error(`it started: ${service.output()}`)),
      (error: Error) => error,
    );
    expect(message).toContain("it exited with 2:");
    expect(message).toMatch(
      /\n {2}MUSTER_METRICS_PORT: must be another port than MUSTER_PORT \(port\).*, got "?\d+/,
    );
    expect(message).toMatch(/\n {2}MUSTER_LOG_LEVEL: must be one of/);
    expect(message).not.toContain("    at ");
  },
);

describe.each(SERVICES)("metrics of the %s", (name) => {
  let service: ServiceProcess;
  afterAll(() => service.stop());

  test("on a port of their own, with a token", async () => {
    const metricsPort = await freePort();
    service = await startService(name, {
      ...settings(),
      MUSTER_METRICS_PORT: String(metricsPort),
      MUSTER_METRICS_TOKEN: TOKEN,
    });
    expect([await statusOf(metricsPort), await statusOf(metricsPort, `${TOKEN}x`)]).toEqual([401, 401]);
    expect([await statusOf(metricsPort, TOKEN), await statusOf(service.port, TOKEN)]).toEqual([200, 404]);
    expect((await fetch(`http://127.0.0.1:${metricsPort}/healthz`)).status).toBe(404);
    expect(service.output()).not.toContain(TOKEN);
    expect(await service.stop()).toBe(0);
  });

  test("where the rest is, with a token", async () => {
    service = await startService(name, { ...settings(), MUSTER_METRICS_TOKEN: TOKEN });
    expect([await statusOf(service.port), await statusOf(service.port, TOKEN)]).toEqual([401, 200]);
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    await service.stop();
  });

  test("where the rest is, for everybody, when nothing is said", async () => {
    service = await startService(name, settings());
    expect(await statusOf(service.port)).toBe(200);
  });
});
