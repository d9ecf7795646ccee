/** Preferences of an order and labels of workers, through the REST API: kept as asked for, and refused when they are none. */

import { type RedisServer, startRedis } from "@muster/test/kit/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import * as kit from "./kit.js";

let server: RedisServer;
let api: kit.RunningApi;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.flush();
  api = await kit.runApi(server);
});
afterEach(() => api.stop());
afterAll(() => server.stop());

const send = (path: string, method: "POST" | "PUT", body: object, headers: Record<string, string> = {}) =>
  api.rest(path, {
    ...{ method, video: { roomAdmin: true }, body: JSON.stringify(body) },
    headers: { "content-type": "application/json", ...headers },
  });
const order = (preferences: object, key = "") =>
  send(
    "/v1/orders",
    "POST",
    { room: "room", agent_name: "agent", preferences },
    key === "" ? {} : { "idempotency-key": key },
  );
const claim = { namespace: "default", offerMs: 60_000, retryMs: 500, scan: 32 };

test("an order is read back with what it prefers, and a key brings it back only with the same", async () => {
  const preferences = {
    exclude: ["AW_1"],
    sticky: { key: "caller é", hold_ms: 5_000 },
    labels: [{ labels: { "a=b": "c;d", region: "eu" }, for_ms: 1_000 }],
    otherwise: "nobody",
  };
  const made = await order(preferences, "key");
  const { id } = (await made.json()) as { id: string };
  expect(await (await api.rest(`/v1/orders/${id}`)).json()).toMatchObject({ preferences });
  expect((await order(preferences, "key")).status).toBe(200);
  expect((await order({ ...preferences, otherwise: "anyone" }, "key")).status).toBe(409);
  const plain = await send("/v1/orders", "POST", { room: "room", agent_name: "agent" });
  expect(await plain.json()).toMatchObject({ preferences: null });
});

test("a worker that is given a label gets the job that waits for it", async () => {
  const worker = await kit.registerWorker(api.ledger, { namespace: "default", agent: "agent" });
  const made = await order({ labels: [{ labels: { region: "eu" }, for_ms: 60_000 }] });
  const { jobs } = (await made.json()) as { jobs: { id: string }[] };
  const job = jobs[0]?.id ?? "";
  expect(await api.ledger.admit({ ...claim, job })).toMatchObject({ status: "parked" });
  const labels = { region: "eu", zone: "a b" };
  const labelled = await send(`/v1/workers/${worker}/labels`, "PUT", { labels });
  expect(await labelled.json()).toMatchObject({ id: worker, labels });
  const pool = "room/agent/";
  expect(await api.ledger.serve({ ...claim, pool, heads: 8 })).toMatchObject({
    job: { id: job, session: worker },
  });
});

test.each([
  ["preferences.exclude.0", { exclude: ["no id"] }],
  ["preferences.exclude", { exclude: Array(17).fill("AW_1") }],
  ["preferences.sticky.key", { sticky: { key: "" } }],
  ["preferences.sticky.key", { sticky: { key: "é".repeat(129) } }],
  ["preferences.sticky.hold_ms", { sticky: { key: "a", hold_ms: -1 } }],
  ["preferences.labels.0.labels", { labels: [{ labels: {}, for_ms: 1 }] }],
  ["preferences.labels.0.labels", { labels: [{ labels: { a: "x".repeat(128) }, for_ms: 1 }] }],
  ["preferences.labels.0.for_ms", { labels: [{ labels: { a: "b" }, for_ms: 0 }] }],
  ["preferences.labels", { labels: Array(5).fill({ labels: { a: "b" }, for_ms: 1 }) }],
  ["preferences.otherwise", { otherwise: "odd" }],
  ["preferences.odd", { odd: 1 }],
])("%s is refused, and nothing is made", async (field, preferences) => {
  const answer = await order(preferences);
  expect([answer.status, await answer.json()]).toMatchObject([400, { code: "invalid_argument", field }]);
  expect(await (await api.rest("/v1/orders")).json()).toMatchObject({ total: 0 });
});
