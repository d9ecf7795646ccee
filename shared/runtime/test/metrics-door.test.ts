/** Who may read /metrics, and where; and where a service listens when nobody says. */
import { listenHostFrom, type MetricsAccess } from "@muster/runtime/config-fields";
import { createLog } from "@muster/runtime/log";
import { createMetrics } from "@muster/runtime/metrics";
import { serveMetrics } from "@muster/runtime/metrics-door";
import { createOps } from "@muster/runtime/ops-http";
import { freePort } from "@muster/test/kit/ports";
import { afterEach, expect, test } from "vitest";

const TOKEN = "a-token-that-is-long-enough";
const log = createLog({ level: "silent", service: "test" });
const metrics = createMetrics({ service: "test" });
let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

/** The status of a scrape on the common port. */
async function common(access: MetricsAccess, authorization?: string): Promise<number> {
  const headers = authorization === undefined ? {} : { authorization };
  return (await createOps({ checks: {}, metrics, access }).request("/metrics", { headers })).status;
}

test("everybody reads them unless something is set", async () => {
  expect(await common({})).toBe(200);
});

test.each([
  [undefined, 401],
  ["Bearer ", 401],
  [`Bearer ${TOKEN}x`, 401],
  [`Bearer ${TOKEN.slice(1)}`, 401],
  [`Basic ${TOKEN}`, 401],
  [TOKEN, 401],
  [`Bearer ${TOKEN}`, 200],
  [`bearer ${TOKEN}`, 200],
])("with a token, %s is answered %i", async (authorization, status) => {
  expect(await common({ metricsToken: TOKEN }, authorization)).toBe(status);
});

test("on a port of their own they are nowhere else, and nothing else is there", async () => {
  const access = { metricsPort: await freePort(), metricsToken: TOKEN };
  const door = await serveMetrics({ metrics, access, host: "127.0.0.1", log });
  close = door?.close;
  const headers = { authorization: `Bearer ${TOKEN}` };
  const statusOf = async (path: string, init: RequestInit) =>
    (await fetch(`http://127.0.0.1:${access.metricsPort}${path}`, init)).status;
  expect([await statusOf("/metrics", {}), await statusOf("/metrics", { headers })]).toEqual([401, 200]);
  expect([
    await statusOf("/healthz", { headers }),
    await statusOf("/metrics", { headers, method: "POST" }),
  ]).toEqual([404, 404]);
  expect(await common(access, headers.authorization)).toBe(404);
});

test("a service with everybody's keys is for its machine alone, unless a host is set", () => {
  expect(listenHostFrom({ dev: true })).toBe("127.0.0.1");
  expect(listenHostFrom({ dev: false })).toBe("0.0.0.0");
  expect(listenHostFrom({ host: "10.0.0.5", dev: true })).toBe("10.0.0.5");
});
