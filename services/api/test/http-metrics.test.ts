/** What an api measures of the requests that it answers, and of the jobs that it ends. */
import { createMetrics } from "@muster/runtime/metrics";
import { metricIn } from "@muster/test/kit/metric-line";
import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { httpMeter } from "../src/http-meter.js";
import { type RunningApi, registerWorker, runApi } from "./kit.js";

let redis: RedisServer;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  api = await runApi(redis);
  return () => api.stop();
});
afterAll(() => redis.stop());

const text = async () => (await fetch(`${api.url}/metrics`)).text();
const metric = async (line: string) => metricIn(await text(), line);
const requests = (route: string, method: string, status: number) =>
  metric(`http_requests_total{route="${route}",method="${method}",status="${status}"}`);

it("counts by the route as the API describes it, not by what stands in the path", async () => {
  for (const id of ["AJ_one", "AJ_two", "AJ_three"])
    expect((await api.rest(`/v1/jobs/${id}`)).status).toBe(404);
  await api.rest("/v1/orders");
  await fetch(`${api.url}/v1/jobs`);
  expect(await requests("/v1/jobs/{id}", "GET", 404)).toBe(3);
  expect(await requests("/v1/orders", "GET", 200)).toBe(1);
  expect(await requests("/v1/jobs", "GET", 401)).toBe(1);
  expect(await metric('http_request_duration_seconds_count{route="/v1/jobs/{id}"}')).toBe(3);
  expect(await metric("http_requests_under_way")).toBe(0);
});

it("knows the calls of its Twirp service and the webhook by name", async () => {
  await api.twirp("ListDispatch", { room: "room" });
  await fetch(`${api.url}/webhook`, { method: "POST", body: "{}" });
  expect(await requests("/twirp/livekit.AgentDispatchService/ListDispatch", "POST", 200)).toBe(1);
  expect(await requests("/webhook", "POST", 401)).toBe(1);
});

it("puts whatever a stranger writes under one name", async () => {
  for (const path of [
    "/v1/nothing/here",
    '/v1/x"y',
    "/twirp/livekit.AgentDispatchService/Nothing",
    "/twirp/a/b/c",
  ])
    await api.rest(path);
  const routes = [...(await text()).matchAll(/http_requests_total\{route="([^"]*)"/g)].map(
    ([, route]) => route,
  );
  expect(new Set(routes)).toEqual(new Set(["(none)"]));
});

it("does not count probes and scrapes", async () => {
  for (const path of ["/healthz", "/readyz", "/metrics", "/"]) await fetch(api.url + path);
  expect(await text()).not.toMatch(/^muster_http_requests_total\{/m);
});

it("counts an answer that throws, and a method that nobody knows", async () => {
  const metrics = createMetrics({ service: "test" });
  const meter = httpMeter(metrics);
  const odd = { method: "BREW" } as Request;
  await expect(meter.answer("/x", odd, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  const said = await metrics.render();
  expect(metricIn(said, 'http_requests_total{route="/x",method="other",status="500"}')).toBe(1);
  expect(metricIn(said, "http_requests_under_way")).toBe(0);
});

it("counts the jobs that it ends: terminated, and deleted with their order", async () => {
  const canceled = () => metric('jobs_ended_total{outcome="canceled"}');
  expect(await canceled()).toBe(0);
  await registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  const order = async () => {
    const answer = await api.rest("/v1/orders", {
      method: "POST",
      video: { roomAdmin: true },
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ room: "room", agent_name: "agent" }),
    });
    return (await answer.json()) as { id: string; jobs: { id: string }[] };
  };
  const first = await order();
  const terminate = `/v1/jobs/${first.jobs[0]?.id}/terminate`;
  const asked = { method: "POST", video: { roomAdmin: true } };
  for (let time = 0; time < 2; time++) expect((await api.rest(terminate, asked)).status).toBe(200);
  expect(await canceled()).toBe(1);
  const second = await order();
  const removed = { method: "DELETE", video: { roomAdmin: true } };
  for (let time = 0; time < 2; time++) await api.rest(`/v1/orders/${second.id}`, removed);
  expect(await canceled()).toBe(2);
});
